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
        $split = ['key' => 'hero', 'value' => $value, 'reason' => 'SPLIT', 'variant' => 'warm', 'metadata' => ['ruleId' => 'r1', 'experimentId' => 'hero-test']];
        $fixed = ['key' => 'limit', 'value' => 3, 'reason' => 'STATIC', 'variant' => 'default', 'metadata' => []];
        return new Response(200, json_encode(['flags' => [$split, $fixed, ['key' => 'empty', 'reason' => 'DEFAULT', 'variant' => 'default']]]));
    }

    public function testOneRequestBringsAllFeaturesOfAVisitor(): void
    {
        $transport = new Recorded([self::flags('Willkommen')]);
        $remote = new Remote('https://rapport.example/', 'wk_live_1', $transport);
        $hero = $remote->feature('hero', self::VISITOR);
        self::assertSame(['Willkommen', 'experiment', 'r1', 'warm'], [$hero->value, $hero->source, $hero->ruleId, $hero->result['key']]);
        self::assertSame([3, 'other', 'other'], [$remote->value('limit', 0, self::VISITOR), $remote->value('empty', 'other', self::VISITOR), $remote->value('unheard of', 'other', self::VISITOR)]);
        self::assertCount(1, $transport->sent);
        [$method, $url, $headers, $body] = $transport->sent[0];
        self::assertSame(['POST', 'https://rapport.example/ofrep/v1/evaluate/flags', 'Bearer wk_live_1'], [$method, $url, $headers['Authorization']]);
        $context = ['country' => 'DE', 'id' => 'a1', 'anonymousId' => 'a1', 'targetingKey' => 'a1'];
        self::assertSame(['context' => $context], json_decode($body, true));
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

    public function testAnExposureIsSentAndNotOfWhoRefuses(): void
    {
        $transport = new Recorded([self::flags('x')]);
        $sent = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $sent);
        $remote = new Remote('https://rapport.example', 'k', $transport, null, $events);
        $remote->feature('hero', self::VISITOR);
        $remote->feature('hero', self::VISITOR);
        $remote->feature('hero', ['anonymousId' => 'a2', 'consent' => ['personalization' => false]]);
        $events->flush();
        self::assertSame([['experimentId' => 'hero-test', 'variationId' => 'warm', 'featureId' => 'hero']], array_column($sent->batch(0), 'properties'));
        self::assertSame('{"context":{}}', $transport->sent[1][3]);
    }

    public function testAScoreComesWithAsManyReasonsAsAreWanted(): void
    {
        $reasons = [['signal' => 1, 'label' => 'a', 'text' => 'came', 'points' => 9], ['signal' => 2, 'label' => 'b', 'text' => 'saw', 'points' => -2]];
        $score = ['score' => 40, 'probability' => 0.4, 'band' => 'undecided', 'base' => 30, 'reasons' => $reasons, 'rest' => 3, 'asOf' => 1];
        $remote = new Remote('https://rapport.example', 'k', new Recorded([new Response(200, json_encode($score))]));
        $explained = $remote->explain(self::VISITOR, 1);
        self::assertSame([40, 1, 1, 40], [$explained->score, count($explained->reasons), $explained->rest, $explained->base + $explained->reasons[0]['points'] + $explained->rest]);
        self::assertNull((new Remote('https://rapport.example', 'k', new Recorded([new Response(404, '{}')])))->score(self::VISITOR));
        self::assertNull($remote->score(self::VISITOR + ['consent' => ['profiling' => false]]));
        self::assertNull($remote->score([]));
    }
}
