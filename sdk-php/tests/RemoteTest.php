<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\Events;
use Rapport\Http\Kept;
use Rapport\Http\Response;
use Rapport\Remote;

final class RemoteTest extends TestCase
{
    private const VISITOR = ['anonymousId' => 'a1', 'attributes' => ['country' => 'DE']];

    private string $log;

    protected function setUp(): void
    {
        $this->log = (string) ini_set('error_log', '/dev/null');
    }

    protected function tearDown(): void
    {
        ini_set('error_log', $this->log);
    }

    private static function flags(string $value): Response
    {
        $experiment = ['key' => 'hero-test'];
        $result = ['key' => 'warm', 'featureId' => 'hero', 'inExperiment' => true, 'hashUsed' => true, 'variationId' => 1, 'value' => $value];
        $split = ['value' => $value, 'source' => 'experiment', 'ruleId' => 'r1', 'experiment' => $experiment, 'experimentResult' => $result];
        $holdout = ['experiment' => ['key' => 'holdout'], 'result' => ['key' => 'free', 'featureId' => 'hero']];
        $features = [
            'hero' => $split + ['why' => ['`r1`: it is so'], 'exposures' => [$holdout, compact('experiment', 'result')]],
            'limit' => ['value' => 3, 'source' => 'defaultValue', 'ruleId' => '', 'why' => ['no rule applies'], 'exposures' => []],
            'slot' => ['value' => ['type' => 'text'], 'source' => 'force', 'ruleId' => 'welcome', 'why' => ['`welcome`: its condition holds'], 'exposures' => []],
            'empty' => ['value' => null, 'source' => 'defaultValue', 'ruleId' => '', 'why' => ['no rule applies'], 'exposures' => []],
        ];
        return new Response(200, json_encode(['score' => null, 'features' => $features, 'pages' => [], 'experiences' => ['welcome']]));
    }

    public function testOneRequestBringsAllFeaturesOfAVisitor(): void
    {
        $transport = new Recorded([self::flags('Willkommen')]);
        $remote = new Remote('https://rapport.example/', 'wk_live_1', $transport);
        $hero = $remote->feature('hero', self::VISITOR);
        self::assertSame(['Willkommen', 'experiment', 'r1', 'warm', 'it is so'], [$hero->value, $hero->source, $hero->ruleId, $hero->result['key'], $hero->why()]);
        self::assertSame([3, 'other', 'other'], [$remote->value('limit', 0, self::VISITOR), $remote->value('empty', 'other', self::VISITOR), $remote->value('unheard of', 'other', self::VISITOR)]);
        self::assertCount(1, $transport->sent);
        [$method, $url, $headers, $body] = $transport->sent[0];
        self::assertSame(['POST', 'https://rapport.example/v1/evaluate', 'Bearer wk_live_1'], [$method, $url, $headers['Authorization']]);
        self::assertSame(self::VISITOR, json_decode($body, true));
    }

    public function testAnOldAnswerServesAndIsAskedForAnewWhenTheRequestIsOver(): void
    {
        $memory = new Memory();
        $transport = new Recorded([self::flags('first'), self::flags('second')]);
        $ask = function () use ($memory, $transport): array {
            $kept = new Kept($memory, 30, 3_600, static fn (): float => $memory->now);
            $remote = new Remote('https://rapport.example', 'k', $transport, $kept);
            return [$remote->value('hero', null, self::VISITOR), count($transport->sent)];
        };
        self::assertSame(['first', 1], $ask());
        $memory->now += 29;
        self::assertSame(['first', 1], $ask());
        $memory->now += 2;
        self::assertSame(['first', 1], $ask());
        self::assertSame(['second', 2], $ask());
    }

    public function testWhereTheServerFailsWhatWasKeptServesAndNobodyWaitsTwice(): void
    {
        $memory = new Memory();
        $transport = new Recorded([self::flags('first'), new Response(503, ''), null]);
        $remote = static fn (): Remote => new Remote('https://rapport.example', 'k', $transport, new Kept($memory, 30, 3_600, static fn (): float => $memory->now));
        self::assertSame('first', $remote()->value('hero', 'default', self::VISITOR));
        $memory->now += 3_000;
        for ($view = 0; $view < 3; $view++) {
            self::assertSame('first', $remote()->value('hero', 'default', self::VISITOR));
        }
        self::assertCount(2, $transport->sent);
        $memory->now += 3_000;
        for ($view = 0; $view < 3; $view++) {
            self::assertSame('default', $remote()->value('hero', 'default', self::VISITOR));
        }
        self::assertCount(3, $transport->sent);
    }

    public function testAnAnswerThatIsNoneCountsAsAServerThatFails(): void
    {
        foreach (['<html>', '7', 'null', '', '"a"'] as $garbage) {
            $transport = new Recorded([new Response(200, $garbage)]);
            $memory = new Memory();
            foreach ([1, 2] as $request) {
                $remote = new Remote('https://rapport.example', 'k', $transport, $memory);
                self::assertSame(['default', null, []], [$remote->value('hero', 'default', self::VISITOR), $remote->score(self::VISITOR), $remote->decide(self::VISITOR)->features]);
            }
            self::assertCount(1, $transport->sent, $garbage);
        }
    }

    public function testAnExposureIsSentAndNotOfWhoRefuses(): void
    {
        $transport = new Recorded([self::flags('x')]);
        $sent = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $sent);
        $remote = new Remote('https://rapport.example', 'k', $transport, null, $events);
        $remote->feature('hero', self::VISITOR);
        $remote->feature('hero', self::VISITOR);
        $remote->feature('slot', self::VISITOR);
        $remote->feature('hero', ['anonymousId' => 'a2', 'consent' => ['personalization' => false]]);
        $events->flush();
        $told = [['experimentId' => 'holdout', 'variationId' => 'free', 'featureId' => 'hero'], ['experimentId' => 'hero-test', 'variationId' => 'warm', 'featureId' => 'hero'], ['experienceId' => 'welcome']];
        self::assertSame($told, array_column($sent->batch(0), 'properties'));
        self::assertSame('{"consent":{"personalization":false}}', $transport->sent[1][3]);
    }

    public function testAScoreComesWithAsManyReasonsAsAreWanted(): void
    {
        $reasons = [['signal' => 1, 'label' => 'a', 'text' => 'came', 'points' => 9], ['signal' => 2, 'label' => 'b', 'text' => 'saw', 'points' => -2]];
        $score = ['score' => 40, 'probability' => 0.4, 'band' => 'undecided', 'base' => 30, 'reasons' => $reasons, 'rest' => 3, 'asOf' => 1];
        $remote = new Remote('https://rapport.example', 'k', new Recorded([new Response(200, json_encode(['score' => $score]))]));
        $explained = $remote->explain(self::VISITOR, 1);
        self::assertSame([40, 1, 1, 40], [$explained->score, count($explained->reasons), $explained->rest, $explained->base + $explained->reasons[0]['points'] + $explained->rest]);
        self::assertNull((new Remote('https://rapport.example', 'k', new Recorded([new Response(200, '{"score":null}')])))->score(self::VISITOR));
        self::assertNull($remote->score(self::VISITOR + ['consent' => ['profiling' => false]]));
    }
}
