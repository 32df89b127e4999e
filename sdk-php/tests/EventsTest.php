<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\Events;
use Rapport\Http\Response;
use Rapport\Local;

final class EventsTest extends TestCase
{
    private const VISITOR = ['anonymousId' => 'a1'];

    public function testEventsGoOutAsOneBatchUnderTheKey(): void
    {
        $transport = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example/', 'wk_live_1', $transport);
        $events->track('Signed Up', self::VISITOR + ['userId' => 'u1'], ['plan' => 'pro']);
        $events->track('Nothing Said', self::VISITOR);
        self::assertTrue($events->flush());
        [[$method, $url, $headers]] = $transport->sent;
        self::assertSame(['POST', 'https://rapport.example/v1/batch', 'Basic ' . base64_encode('wk_live_1:')], [$method, $url, $headers['Authorization']]);
        [$first, $second] = $transport->batch(0);
        self::assertSame(['track', 'Signed Up', 'a1', 'u1', ['plan' => 'pro']], [$first['type'], $first['event'], $first['anonymousId'], $first['userId'], $first['properties']]);
        self::assertMatchesRegularExpression('/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/', $first['timestamp']);
        self::assertNotSame($first['messageId'], $second['messageId']);
        self::assertStringContainsString('"properties":{}', $transport->sent[0][3]);
    }

    public function testEventsOfNobodyStayAtHome(): void
    {
        $transport = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $transport);
        $events->track('Seen', ['attributes' => ['id' => 'x']]);
        self::assertTrue($events->flush());
        self::assertSame([], $transport->sent);
    }

    public function testWhatCannotBeSentIsTriedAgainAndKeepsItsPlace(): void
    {
        $waits = [];
        $transport = new Recorded([null, new Response(503, ''), new Response(429, '', ['retry-after' => '1']), new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $transport, 10, static function (float $seconds) use (&$waits): void {
            $waits[] = $seconds;
        });
        $events->track('Seen', self::VISITOR);
        self::assertFalse($events->flush());
        self::assertSame([0.2, 0.4], $waits);
        self::assertTrue($events->flush());
        $ids = array_map(static fn (array $request): string => json_decode($request[3], true)['batch'][0]['messageId'], $transport->sent);
        self::assertSame([4, 1, 0], [count($ids), count(array_unique($ids)), $events->dropped()]);
    }

    public function testWhatTheServerRefusesIsGivenUp(): void
    {
        $log = ini_set('error_log', '/dev/null');
        $events = new Events('https://rapport.example', 'k', new Recorded([new Response(401, 'no such key')]));
        $events->track('Seen', self::VISITOR);
        self::assertTrue($events->flush());
        self::assertSame(1, $events->dropped());
        ini_set('error_log', (string) $log);
    }

    public function testOnlySoManyWait(): void
    {
        $events = new Events('https://rapport.example', 'k', new Recorded([null]), 5, static fn () => null);
        for ($at = 0; $at < 8; $at++) {
            $events->track("Seen $at", self::VISITOR);
        }
        self::assertSame(3, $events->dropped());
    }

    public function testAnExposureIsSentOnceForAVisitorAndVariation(): void
    {
        $transport = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $transport);
        $rule = ['key' => 'hero-test', 'variations' => ['a', 'b'], 'meta' => [['key' => 'one', 'name' => 'One'], ['key' => 'two', 'name' => 'Two']]];
        $rapport = Local::ofPayload(json_encode(['features' => ['hero' => ['defaultValue' => 'x', 'rules' => [$rule]]]]), $events);
        $visitor = self::VISITOR + ['attributes' => ['id' => 'a1']];
        $value = $rapport->value('hero', null, $visitor);
        $rapport->feature('hero', $visitor);
        $refuses = $rapport->value('hero', null, $visitor + ['consent' => ['personalization' => false]]);
        $events->flush();
        [$event] = $transport->batch(0);
        self::assertCount(1, $transport->batch(0));
        self::assertSame(['Experiment Viewed', 'x'], [$event['event'], $refuses]);
        $variation = ['a' => ['one', 'One'], 'b' => ['two', 'Two']][$value];
        $expected = ['experimentId' => 'hero-test', 'variationId' => $variation[0], 'variationName' => $variation[1], 'featureId' => 'hero'];
        self::assertSame($expected, $event['properties']);
    }

    public function testAnExposureToABanditTellsHowLikelyItWasAndWhatItLearnsBy(): void
    {
        $transport = new Recorded([new Response(200, '{}')]);
        $events = new Events('https://rapport.example', 'k', $transport);
        $rule = ['key' => 'hero-test', 'contextualVariations' => ['a', 'b'], 'contextualBanditRef' => 'hero-test', 'contextAttributes' => ['plan', 'country']];
        $leaf = ['leafId' => 0, 'condition' => ['plan' => 'team'], 'weights' => [0.5, 0.5]];
        $payload = ['features' => ['hero' => ['defaultValue' => 'x', 'rules' => [$rule]]], 'contextualBandits' => ['hero-test' => ['banditVersion' => 3, 'contexts' => [$leaf]]]];
        $rapport = Local::ofPayload(json_encode($payload), $events);
        $visitor = self::VISITOR + ['attributes' => ['id' => 'a1', 'plan' => 'team', 'age' => 7]];
        $rapport->value('hero', null, $visitor);
        $events->flush();
        [$event] = $transport->batch(0);
        unset($event['properties']['variationId']);
        $expected = ['experimentId' => 'hero-test', 'featureId' => 'hero', 'propensity' => 0.5, 'leafId' => 0, 'banditVersion' => 3, 'context' => ['plan' => 'team']];
        self::assertEquals($expected, $event['properties']);
    }
}
