<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Http\Plain;
use Rapport\Http\Transport;
use Rapport\Http\Unreachable;

/**
 * Sends events in batches when the request is over, or earlier where a batch is full. What cannot be sent is
 * tried again a few times and then given up; nothing here throws, and what waits is bounded.
 */
final class Events
{
    /** As the server takes them (docs/api.md). */
    private const MAX_BATCH = 500;
    private const MAX_BYTES = 450_000;
    private const ATTEMPTS = 3;
    /** Seconds; a server that says to wait longer is not waited for. */
    private const MAX_WAIT = 2.0;
    private const MAX_EXPOSURES = 10_000;

    /** @var list<string> JSON, oldest first */
    private array $waiting = [];
    /** Exposures that were noted already. */
    private array $exposed = [];
    private int $dropped = 0;
    private readonly \Closure $sleep;

    /**
     * @param string $key a write key, or on a server a secret key, with which a `userId` is proven
     * @param int $capacity so many events wait at most; of more the oldest are dropped
     * @param (callable(float): void)|null $sleep waits between attempts, seconds
     */
    public function __construct(
        private readonly string $server,
        private readonly string $key,
        private readonly Transport $transport = new Plain(),
        private readonly int $capacity = 1_000,
        ?callable $sleep = null,
    ) {
        $this->sleep = ($sleep ?? static fn (float $seconds) => usleep((int) ($seconds * 1e6)))(...);
    }

    public function __destruct()
    {
        if ($this->waiting === []) {
            return;
        }
        // Under FPM the visitor has the page before this is sent.
        if (function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        }
        $this->flush();
    }

    public function track(string $event, array $visitor, array $properties = []): void
    {
        $this->send(['type' => 'track', 'event' => $event, 'properties' => $properties], $visitor);
    }

    /** Says who the visitor is; what the traits say is kept with them. */
    public function identify(array $visitor, array $traits = []): void
    {
        $this->send(['type' => 'identify', 'traits' => $traits], $visitor);
    }

    /** Notes an exposure, once for a visitor and variation; not of visitors who refuse to be personalized. */
    public function exposed(Exposure $exposure, array $visitor, string $bundle = ''): void
    {
        $result = $exposure->result;
        $properties = array_filter([
            'experimentId' => $exposure->experiment['key'] ?? null,
            'variationId' => $result['key'],
            'variationName' => $result['name'] ?? null,
            'featureId' => $result['featureId'] ?? null,
            'propensity' => isset($result['variationId']) ? $result['variationWeights'][$result['variationId']] ?? null : null,
            'bundle' => $bundle === '' ? null : $bundle,
            'leafId' => $result['leafId'] ?? null,
            'banditVersion' => $result['banditVersion'] ?? null,
            'context' => $result['contextAttributes'] ?? null,
        ], static fn (mixed $value): bool => $value !== null);
        $this->once('Experiment Viewed', $visitor, $properties);
    }

    /** Notes that an experience without an experiment was shown. */
    public function viewed(string $experience, array $visitor): void
    {
        $this->once('Experience Viewed', $visitor, ['experienceId' => $experience]);
    }

    private function once(string $event, array $visitor, array $properties): void
    {
        $what = array_intersect_key($properties, ['experimentId' => true, 'variationId' => true, 'experienceId' => true]);
        $once = json_encode([$visitor['anonymousId'] ?? null, $visitor['userId'] ?? null, $event, $what]);
        if (isset($this->exposed[$once]) || !Visitor::isPersonal($visitor)) {
            return;
        }
        if (count($this->exposed) >= self::MAX_EXPOSURES) {
            $this->exposed = [];
        }
        $this->exposed[$once] = true;
        $this->track($event, $visitor, $properties);
    }

    /** An event in Segment's shape; of nobody it is not sent. */
    public function send(array $event, array $visitor): void
    {
        $who = array_intersect_key($visitor, ['anonymousId' => true, 'userId' => true]);
        if ($who === []) {
            return;
        }
        foreach (['properties', 'traits'] as $member) {
            if (isset($event[$member])) {
                $event[$member] = (object) $event[$member];
            }
        }
        $event += $who + [
            'messageId' => bin2hex(random_bytes(16)),
            'timestamp' => gmdate('Y-m-d\TH:i:s.') . sprintf('%03dZ', (int) (fmod(microtime(true), 1) * 1000)),
            'context' => ['library' => ['name' => 'rapport-php', 'version' => '0.1.0']],
        ];
        $json = json_encode($event, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);
        if (!is_string($json) || strlen($json) > self::MAX_BYTES) {
            $this->dropped++;
            return;
        }
        $this->waiting[] = $json;
        if (count($this->waiting) >= min(self::MAX_BATCH, $this->capacity)) {
            $this->flush();
        }
        while (count($this->waiting) > $this->capacity) {
            array_shift($this->waiting);
            $this->dropped++;
        }
    }

    /** Sends all that waits; whether nothing waits any more. */
    public function flush(): bool
    {
        while ($this->waiting !== []) {
            $batch = $this->nextBatch();
            if (!$this->delivered($batch)) {
                return false;
            }
            array_splice($this->waiting, 0, count($batch));
        }
        return true;
    }

    /** How many events were given up. */
    public function dropped(): int
    {
        return $this->dropped;
    }

    /** @return list<string> */
    private function nextBatch(): array
    {
        [$batch, $bytes] = [[], 0];
        foreach ($this->waiting as $event) {
            $bytes += strlen($event) + 1;
            if (count($batch) === self::MAX_BATCH || ($batch !== [] && $bytes > self::MAX_BYTES)) {
                break;
            }
            $batch[] = $event;
        }
        return $batch;
    }

    /** Whether the server has the batch or will never take it; false where it may take it later. */
    private function delivered(array $batch): bool
    {
        $body = '{"sentAt":' . json_encode(gmdate('Y-m-d\TH:i:s\Z')) . ',"batch":[' . implode(',', $batch) . ']}';
        $headers = ['Content-Type' => 'application/json', 'Authorization' => 'Basic ' . base64_encode("{$this->key}:")];
        for ($attempt = 1; ; $attempt++) {
            $wait = 0.1 * 2 ** $attempt;
            try {
                $response = $this->transport->send('POST', rtrim($this->server, '/') . '/v1/batch', $headers, $body);
                if ($response->status < 300) {
                    return true;
                }
                if ($response->status !== 429 && $response->status < 500) {
                    $this->dropped += count($batch);
                    error_log("rapport: the server refuses events with {$response->status}: " . substr($response->body, 0, 300));
                    return true;
                }
                $wait = max($wait, (float) ($response->headers['retry-after'] ?? 0));
            } catch (Unreachable $unreachable) {
                $response = null;
            }
            if ($attempt === self::ATTEMPTS || $wait > self::MAX_WAIT) {
                return false;
            }
            ($this->sleep)($wait);
        }
    }
}
