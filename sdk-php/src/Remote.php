<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Http\Cache;
use Rapport\Http\Kept;
use Rapport\Http\Plain;
use Rapport\Http\Transport;

/**
 * Asks the server: for PHP without FFI. One request brings all features of a visitor; answers are kept. Where the server
 * fails and nothing is kept, features are unknown, so that the page shows its own defaults.
 */
final class Remote implements Rapport
{
    private const SOURCES = ['SPLIT' => 'experiment', 'TARGETING_MATCH' => 'force'];

    private readonly string $server;
    private readonly Kept $kept;

    /**
     * @param string $key the workspace's write key
     * @param float $timeout seconds that a page waits at most
     */
    public function __construct(
        string $server,
        private readonly string $key,
        private readonly Transport $transport = new Plain(),
        Cache|Kept|null $cache = null,
        private readonly ?Events $events = null,
        private readonly float $timeout = 1.0,
    ) {
        $this->server = rtrim($server, '/');
        $this->kept = $cache instanceof Kept ? $cache : new Kept($cache);
    }

    public function decide(array $visitor): Decision
    {
        $features = array_map(self::read(...), $this->answers($visitor));
        return new Decision($this->explain($visitor), $features);
    }

    public function score(array $visitor): ?int
    {
        return $this->explain($visitor, 0)?->score;
    }

    public function explain(array $visitor, int $reasons = 5): ?Score
    {
        if (!isset($visitor['anonymousId']) || !Visitor::isProfiled($visitor)) {
            return null;
        }
        $asked = ['key' => $this->key, 'anonymousId' => $visitor['anonymousId'], 'events' => $visitor['events'] ?? []];
        $answer = $this->asked('/v1/decide', $asked);
        if ($answer === null) {
            return null;
        }
        $said = array_map(static fn (array $reason): array => array_intersect_key($reason, ['signal' => 0, 'text' => 0, 'points' => 0]), $answer['reasons']);
        $left = array_sum(array_column(array_slice($said, $reasons), 'points'));
        return new Score($answer['score'], (float) $answer['probability'], $answer['band'], $answer['base'], array_slice($said, 0, $reasons), $answer['rest'] + $left);
    }

    public function feature(string $key, array $visitor): Feature
    {
        $answer = $this->answers($visitor)[$key] ?? null;
        if ($answer === null) {
            return new Feature(null, 'unknownFeature');
        }
        $feature = self::read($answer);
        if ($feature->result !== null && $this->events !== null) {
            $this->events->exposed(new Exposure((array) $feature->experiment, $feature->result), $visitor);
        }
        return $feature;
    }

    public function value(string $key, mixed $otherwise, array $visitor): mixed
    {
        return $this->feature($key, $visitor)->value ?? $otherwise;
    }

    public function track(string $event, array $visitor, array $properties = []): void
    {
        $this->events?->track($event, $visitor, $properties);
    }

    /** @return array<string, array> the answers of the server, by feature */
    private function answers(array $visitor): array
    {
        $context = Visitor::isPersonal($visitor) ? Visitor::asked($visitor)['attributes'] ?? [] : [];
        if (isset($context['id'])) {
            $context['targetingKey'] ??= $context['id'];
        }
        if (isset($visitor['url'])) {
            $context['url'] ??= $visitor['url'];
        }
        $answer = $this->asked('/ofrep/v1/evaluate/flags', ['context' => (object) $context]);
        return array_column($answer['flags'] ?? [], null, 'key');
    }

    /** The answer, kept or not; null where there is none. */
    private function asked(string $path, array $question): ?array
    {
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION;
        $body = (string) json_encode($question, $flags);
        $name = 'rapport.' . hash('sha256', "$this->server $this->key $path $body");
        [$transport, $url, $timeout] = [$this->transport, $this->server . $path, $this->timeout];
        $headers = ['Content-Type' => 'application/json', 'Authorization' => "Bearer $this->key"];
        // Static: what waits to be asked for anew must not keep this object alive.
        $ask = static function () use ($transport, $url, $headers, $body, $timeout): ?array {
            $response = $transport->send('POST', $url, $headers, $body, $timeout);
            return match (true) {
                $response->status === 200 => json_decode($response->body, true, 512, JSON_THROW_ON_ERROR),
                // Of this visitor there is nothing to say, which is an answer.
                $response->status === 404 => null,
                $response->status >= 500 || $response->status === 429 => throw new Http\Unreachable("$url answered $response->status"),
                default => throw new RapportException("$url answered $response->status: " . substr($response->body, 0, 300)),
            };
        };
        try {
            return $this->kept->get($name, $ask);
        } catch (RapportException | \JsonException $failed) {
            error_log("rapport: {$failed->getMessage()}");
            return null;
        }
    }

    private static function read(array $answer): Feature
    {
        $value = $answer['value'] ?? null;
        $source = self::SOURCES[$answer['reason'] ?? ''] ?? (isset($answer['errorCode']) ? 'unknownFeature' : 'defaultValue');
        $rule = $answer['metadata']['ruleId'] ?? '';
        $experiment = $answer['metadata']['experimentId'] ?? null;
        if ($source !== 'experiment' || $experiment === null) {
            return new Feature($value, $source, $rule);
        }
        $result = ['key' => $answer['variant'], 'featureId' => $answer['key'], 'inExperiment' => true, 'hashUsed' => true, 'value' => $value];
        return new Feature($value, $source, $rule, ['key' => $experiment], $result);
    }
}
