<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\Bundle;
use Rapport\Http\Plain;
use Rapport\Http\Response;
use Rapport\Local;
use Rapport\Remote;
use Rapport\Scores;

/** Models that only the workspace's server can run, asked of a real one: the same score as it says, else the fallback's. */
final class BroughtTest extends TestCase
{
    private const NOW = 1_795_435_200_000;
    private const MODELS = [
        'visits' => ['conformance/brought/visits.wasm', ['pricing_views', 'page_views'], [[0, 1], [1, 4]]],
        'net' => [
            'onnx/tests/exports/mlp.onnx',
            ['page_views', 'visits', 'engaged_seconds', 'visit_pages', 'pricing_views', 'product_views'],
            [[0, 1, 2, 3, 0, 1], [1, 4, 9, 2, 2, 0]],
        ],
    ];

    private static ?Served $server = null;
    private string $log;

    public static function setUpBeforeClass(): void
    {
        $program = getenv('RAPPORT');
        if ($program === false) {
            return;
        }
        self::$server = $server = new Served($program);
        $signals = json_decode((string) file_get_contents(self::path('examples/demo/signals.json')));
        $rule = ['condition' => ['$score' => ['$exists' => true]], 'force' => 'yes'];
        $flags = ['features' => ['hot' => ['defaultValue' => 'no', 'rules' => [$rule]]]];
        $bundle = ['signals' => $signals, 'models' => [['name' => 'leads', 'score_in_page' => 'edge']], 'flags' => $flags];
        $server->ask('/v1/bundles', ['bundle' => $bundle, 'models' => ['leads' => self::native()]]);
    }

    public static function tearDownAfterClass(): void
    {
        self::$server?->stop();
        self::$server = null;
    }

    protected function setUp(): void
    {
        $this->log = (string) ini_set('error_log', '/dev/null');
        self::$server ?? self::markTestSkipped('RAPPORT names no server\'s binary: cargo xtask test builds it');
    }

    protected function tearDown(): void
    {
        ini_set('error_log', $this->log);
    }

    private static function path(string $path): string
    {
        return dirname(__DIR__, 2) . "/$path";
    }

    /** A model of the workspace's own, in base 64. */
    private static function native(): string
    {
        return base64_encode((string) file_get_contents(self::path('conformance/brought/leads.rpm')));
    }

    private static function looks(int $count, string $path = '/pricing'): array
    {
        return array_map(static fn (int $at): array => [
            'type' => 'page',
            'timestamp' => gmdate('Y-m-d\TH:i:s\Z', intdiv(self::NOW, 1000) - 600 + $at),
            'messageId' => "m$path$at",
            'context' => ['page' => ['path' => $path, 'url' => "https://example.com$path"]],
        ], range(0, $count - 1));
    }

    private static function visitor(array $more = []): array
    {
        return $more + ['anonymousId' => 'a1', 'events' => self::looks(3), 'now' => self::NOW];
    }

    private static function bring(string $name): void
    {
        [$file, $signals, $background] = self::MODELS[$name];
        $card = [
            'name' => $name,
            'bands' => ['not_below' => 0.25, 'qualified_from' => 0.45],
            'signals' => array_map(static fn (string $signal): array => ['name' => $signal, 'missing' => 0], $signals),
            'background' => $background,
        ];
        self::$server->ask('/v1/models', ['card' => $card, 'file' => base64_encode((string) file_get_contents(self::path($file)))]);
        self::$server->ask("/v1/models/$name/promote", []);
    }

    private static function local(?Scores $scores = null, bool $isTrusted = true): Local
    {
        ['url' => $url, 'key' => $key, 'secret' => $secret] = get_object_vars(self::$server);
        $public = json_decode((new Plain())->send('GET', "$url/v1/sdk/$key.json")->body, true)['publicKey'];
        return new Local(Bundle::fetch($url, $key, $public, null, $isTrusted ? $secret : null), scores: $scores);
    }

    private static function scores(float $timeout = 30): Scores
    {
        return new Scores(self::$server->url, self::$server->secret, timeout: $timeout);
    }

    private static function addsUp(\Rapport\Score $score): void
    {
        self::assertSame($score->score, $score->base + (int) array_sum(array_column($score->reasons, 'points')) + $score->rest);
    }

    public function testAPrivateModelScoresHereAsOnTheServer(): void
    {
        $said = self::$server->ask('/v1/decide', self::visitor());
        $score = self::local()->explain(self::visitor());
        self::assertSame([$said['score'], $said['band'], null, null], [$score->score, $score->band, $score->scoredBy, $score->fault]);
        $open = self::local(isTrusted: false);
        self::assertNull($open->score(self::visitor()));
        self::assertSame('no', $open->value('hot', '?', self::visitor()));
    }

    public static function models(): array
    {
        return [['visits'], ['net']];
    }

    /** @dataProvider models */
    public function testTheServersScoreDecides(string $name): void
    {
        self::bring($name);
        $said = self::$server->ask('/v1/decide', self::visitor());
        self::assertSame($name, $said['scoredBy']);
        $reasons = array_map(static fn (array $one): array => array_diff_key($one, ['label' => 0]), $said['reasons']);
        $local = self::local(self::scores());
        $remote = new Remote(self::$server->url, self::$server->key, timeout: 30);
        foreach ([$local, $remote] as $rapport) {
            $decision = $rapport->decide(self::visitor());
            $score = $decision->score;
            self::assertSame([$said['score'], $said['probability'], $said['band'], $said['base']], [$score->score, $score->probability, $score->band, $score->base]);
            self::assertSame([$name, null, null], [$score->scoredBy, $score->fault, $decision->fault]);
            self::assertEquals(array_slice($reasons, 0, 5), $score->reasons);
            self::assertIsFloat($score->reasons[0]['error'] + 0.0);
            self::addsUp($score);
            self::addsUp($rapport->explain(self::visitor(), 0));
            self::assertSame($said['score'], $rapport->score(self::visitor()));
            self::assertSame(['yes', 'yes'], [$rapport->value('hot', '?', self::visitor()), $decision->features['hot']->value]);
            self::assertNull($rapport->score(self::visitor(['consent' => ['profiling' => false]])));
        }
        $many = self::visitor(['events' => [...self::looks(150, '/'), ...self::looks(2)]]);
        $score = $local->explain($many);
        self::assertSame([$name, null], [$score->scoredBy, $score->fault]);
        $name === 'visits' && self::assertSame(40, $score->score);
        $large = array_map(static fn (array $look): array => $look + ['properties' => ['text' => str_repeat('x', 1_200)]], self::looks(60, '/'));
        self::assertSame($name, $local->explain(self::visitor(['events' => $large]))->scoredBy);
    }

    public function testWhereTheModelFailsTheServersFallbackScores(): void
    {
        self::$server->ask('/v1/models/visits/promote', []);
        $score = self::local(self::scores())->explain(self::visitor(['events' => self::looks(14)]));
        self::assertSame(['leads', 'trap'], [$score->scoredBy, $score->fault]);
        self::addsUp($score);
    }

    public function testNobodyAskedTheFallbackScoresAndWithoutAKeyNothing(): void
    {
        $score = self::local()->explain(self::visitor());
        self::assertSame(['leads', 'absent'], [$score->scoredBy, $score->fault]);
        self::addsUp($score);
        $open = self::local(isTrusted: false)->decide(self::visitor());
        self::assertSame([null, 'absent', 'no'], [$open->score, $open->fault, $open->features['hot']->value]);
    }

    /** @return list<array{string, list<Response|null>}> */
    public static function failures(): array
    {
        $score = ['score' => 50, 'probability' => 0.5, 'band' => 'qualified', 'base' => 0, 'reasons' => [], 'rest' => 3];
        $said = static fn (mixed $answer): Response => new Response(200, (string) json_encode($answer));
        return [
            ['absent', null],
            ['absent', new Response(503, '')],
            ['absent', new Response(401, '{"detail":"no such key"}')],
            ['absent', new Response(404, '<html>')],
            ['nonsense', new Response(200, '<html>')],
            ['nonsense', $said([])],
            ['nonsense', $said(7)],
            ['nonsense', $said($score)],
            ['nonsense', $said(['score' => 250, 'rest' => 250] + $score)],
            ['nonsense', $said(['reasons' => [7]] + $score)],
            ['nonsense', new Response(200, str_repeat('x', 300_000))],
        ];
    }

    /** @dataProvider failures */
    public function testAServerThatFailsIsAskedOnceByAllRequestsAndTheFallbackScores(string $fault, ?Response $answer): void
    {
        $transport = new Recorded([$answer]);
        $memory = new Memory();
        foreach ([1, 2] as $request) {
            $rapport = self::local(new Scores('https://rapport.example', 'sk_live_1', $transport, $memory));
            $decision = $rapport->decide(self::visitor());
            self::assertSame(['leads', $fault, $fault], [$decision->score->scoredBy, $decision->score->fault, $decision->fault]);
            self::assertSame('yes', $rapport->value('hot', '?', self::visitor()), 'the fallback scores');
        }
        self::assertCount(1, $transport->sent);
    }

    public function testASlowServerCostsTheTimeLimitOnce(): void
    {
        $silent = stream_socket_server('tcp://127.0.0.1:0');
        $rapport = self::local(new Scores('http://' . stream_socket_get_name($silent, false), 'sk_live_1', timeout: 0.2));
        foreach ([1, 2, 3] as $time) {
            self::assertSame('time', $rapport->decide(self::visitor())->fault);
        }
        fclose($silent);
    }
}
