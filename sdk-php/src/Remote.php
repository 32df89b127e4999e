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
    /** What of a visitor the server is told; of who refuses something only what it is not for. */
    private const ASKED = [
        'attributes', 'url', 'anonymousId', 'userId', 'events', 'now', 'shown', 'grade',
        'forcedVariations', 'stickyBucketAssignmentDocs', 'enabled', 'qaMode', 'consent', 'profile',
    ];
    private const SCORED = ['anonymousId', 'events', 'now', 'consent', 'profile'];

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
        $score = $this->explain($visitor);
        return new Decision($score, array_map(self::read(...), $this->answers($visitor)['features'] ?? []), $score?->fault);
    }

    public function score(array $visitor): ?int
    {
        return $this->explain($visitor, 0)?->score;
    }

    public function explain(array $visitor, int $reasons = 5): ?Score
    {
        if (!Visitor::isProfiled($visitor)) {
            return null;
        }
        $answer = $this->asked(Visitor::isPersonal($visitor) ? self::ASKED : self::SCORED, $visitor)['score'] ?? null;
        return is_array($answer) ? Score::ofAnswer($answer)?->cut($reasons) : null;
    }

    public function feature(string $key, array $visitor): Feature
    {
        $said = $this->answers($visitor);
        $answer = $said['features'][$key] ?? null;
        if ($answer === null) {
            return new Feature(null, 'unknownFeature');
        }
        $feature = self::read($answer);
        $this->expose($answer, $visitor);
        if ($feature->source === 'force' && in_array($feature->ruleId, $said['experiences'], true)) {
            $this->events?->viewed($feature->ruleId, $visitor);
        }
        return $feature;
    }

    public function experiment(int $number, array $visitor): Exposure
    {
        $answer = $this->answers($visitor)['pages'][$number] ?? throw new RapportException("there is no experiment $number, or no answer");
        $this->expose($answer, $visitor);
        return new Exposure($answer['experiment'], ['why' => $answer['why']] + $answer['experimentResult'], $answer['stickyBucketAssignmentDocs'] ?? null);
    }

    public function value(string $key, mixed $otherwise, array $visitor): mixed
    {
        return $this->feature($key, $visitor)->value ?? $otherwise;
    }

    public function track(string $event, array $visitor, array $properties = []): void
    {
        $this->events?->track($event, $visitor, $properties);
    }

    private function expose(array $answer, array $visitor): void
    {
        foreach ($this->events === null ? [] : $answer['exposures'] as ['experiment' => $experiment, 'result' => $result]) {
            $this->events->exposed(new Exposure($experiment, $result), $visitor);
        }
    }

    /** What the server says of features and of pages. */
    private function answers(array $visitor): array
    {
        return $this->asked(Visitor::isPersonal($visitor) ? self::ASKED : ['consent'], $visitor) ?? [];
    }

    /** What the server says of these members of a visitor, kept or not; null where it says nothing. */
    private function asked(array $members, array $visitor): ?array
    {
        if (!Visitor::isProfiled($visitor)) {
            $members = array_diff($members, ['events', 'profile']);
        }
        $question = array_intersect_key($visitor, array_flip($members));
        if (isset($question['profile'])) {
            $question['profile'] = base64_encode($question['profile']);
        }
        // An empty array is a list otherwise.
        foreach (['attributes', 'shown', 'forcedVariations', 'stickyBucketAssignmentDocs', 'consent'] as $member) {
            if (isset($question[$member])) {
                $question[$member] = (object) $question[$member];
            }
        }
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION;
        $body = (string) json_encode((object) $question, $flags);
        $name = 'rapport.' . hash('sha256', "$this->server $this->key $body");
        [$transport, $url, $timeout] = [$this->transport, "$this->server/v1/evaluate", $this->timeout];
        $headers = ['Content-Type' => 'application/json', 'Authorization' => "Bearer $this->key"];
        // Static: what waits to be asked for anew must not keep this object alive.
        $ask = static function () use ($transport, $url, $headers, $body, $timeout): ?array {
            $response = $transport->send('POST', $url, $headers, $body, $timeout);
            return match (true) {
                $response->status === 200 => self::object($response->body) ?? throw new Http\Unreachable("$url answered what is no JSON object"),
                $response->status >= 500 || $response->status === 429 => throw new Http\Unreachable("$url answered $response->status"),
                default => throw new RapportException("$url answered $response->status: " . substr($response->body, 0, 300)),
            };
        };
        try {
            return $this->kept->get($name, $ask);
        } catch (RapportException $failed) {
            error_log("rapport: {$failed->getMessage()}");
            return null;
        }
    }

    private static function object(string $json): ?array
    {
        $found = json_decode($json, true);
        return is_array($found) ? $found : null;
    }

    private static function read(array $answer): Feature
    {
        $result = $answer['experimentResult'] ?? null;
        if ($result !== null) {
            // The last reason is of the rule that decided, behind its name.
            $result['why'] = preg_replace('/^(`[^`]*`|rule \\d+): /', '', end($answer['why']));
        }
        return new Feature($answer['value'], $answer['source'], $answer['ruleId'], $answer['experiment'] ?? null, $result, $answer['stickyBucketAssignmentDocs'] ?? null);
    }
}
