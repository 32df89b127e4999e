<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Http\Cache;
use Rapport\Http\Plain;
use Rapport\Http\Transport;
use Rapport\Http\Unreachable;

/**
 * Asks the workspace's server for scores of a model that only it can run (docs/models.md): once a visitor and request.
 * Never throws for what the server does. A server that failed is not asked again for a few seconds.
 */
final class Scores
{
    private const PAUSE = 5;
    private const PAUSED = 'rapport.scores.pause';
    /** Seconds in which an answer counts: a worker outlives a request. */
    private const FRESH = 5;
    private const MAX_HELD = 100;
    private const MAX_BYTES = 262_144;
    /** More than a model has signals. */
    private const REASONS = 256;
    /** Nothing scores, or the visitor refuses. */
    private const NOBODY = ['urn:rapport:problem:no-bundle', 'urn:rapport:problem:not-found'];

    private readonly string $url;
    /** @var array<string, array{float, Score|null}> when what was said, by the question */
    private array $held = [];
    /** @var array{float, string}|null until when nobody is asked, and why */
    private ?array $failed = null;

    /**
     * @param string $secretKey of an owner, admin or developer
     * @param Cache|null $cache tells other requests, too, that the server failed
     * @param float $timeout seconds that a page waits at most; a client of PSR-18 has its own
     */
    public function __construct(
        string $server,
        private readonly string $secretKey,
        private readonly Transport $transport = new Plain(),
        private readonly ?Cache $cache = null,
        private readonly float $timeout = 1.0,
    ) {
        $this->url = rtrim($server, '/') . '/v1/decide';
    }

    /**
     * @param array $question `anonymousId`, `events`, `now`, `profile` in base 64
     * @return Score|string|null the score with all its reasons; why there is none: `time`, `absent` (not reached, or it
     *     refuses) or `nonsense`; null where nobody scores the visitor, or may
     */
    public function ask(array $question): Score|string|null
    {
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;
        $body = (string) json_encode((object) ($question + ['reasons' => self::REASONS]), $flags);
        [$at, $said] = $this->held[$body] ?? [-INF, null];
        if (microtime(true) - $at < self::FRESH) {
            return $said;
        }
        $fault = $this->paused();
        if ($fault !== null) {
            return $fault;
        }
        $said = $this->said($body);
        if (is_string($said)) {
            $this->failed = [microtime(true) + self::PAUSE, $said];
            $this->cache?->set(self::PAUSED, $said, self::PAUSE);
            return $said;
        }
        if (count($this->held) >= self::MAX_HELD) {
            unset($this->held[array_key_first($this->held)]);
        }
        $this->held[$body] = [microtime(true), $said];
        return $said;
    }

    private function paused(): ?string
    {
        if ($this->failed !== null && microtime(true) < $this->failed[0]) {
            return $this->failed[1];
        }
        $fault = $this->cache?->get(self::PAUSED);
        return is_string($fault) ? $fault : null;
    }

    private function said(string $body): Score|string|null
    {
        $headers = ['Content-Type' => 'application/json', 'Authorization' => "Bearer $this->secretKey"];
        $ends = microtime(true) + 0.9 * $this->timeout;
        try {
            $response = $this->transport->send('POST', $this->url, $headers, $body, $this->timeout);
        } catch (Unreachable $unreachable) {
            return self::fault(microtime(true) > $ends ? 'time' : 'absent', $unreachable->getMessage());
        }
        $answer = strlen($response->body) <= self::MAX_BYTES ? json_decode($response->body, true) : null;
        if ($response->status === 404 && in_array($answer['type'] ?? null, self::NOBODY, true)) {
            return null;
        }
        if ($response->status !== 200) {
            return self::fault('absent', "$this->url answered $response->status: " . substr($response->body, 0, 300));
        }
        $score = is_array($answer) ? Score::ofAnswer($answer) : null;
        return $score ?? self::fault('nonsense', "$this->url answered what is no score");
    }

    private static function fault(string $fault, string $why): string
    {
        error_log("rapport: no score by the server: $why");
        return $fault;
    }
}
