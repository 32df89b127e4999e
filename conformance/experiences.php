<?php
// The suite `experiences` through PHP's public API: bundles opened or published, visitors decided for.
declare(strict_types=1);

use Rapport\Bundle;
use Rapport\Events;
use Rapport\Exposure;
use Rapport\Feature;
use Rapport\Http\Response;
use Rapport\Http\Transport;
use Rapport\Local;
use Rapport\Rapport;
use Rapport\Remote;
use Rapport\Testing;

/** @return iterable<string, list<string>> what fails, by case of a file, whose bundle stands beside it */
function experiences(string $file): iterable
{
    $document = json_decode((string) file_get_contents($file), true, 512, JSON_THROW_ON_ERROR);
    $heard = [];
    $rapport = new Local(Bundle::ofFile(preg_replace('/json$/', 'rapport', $file)), null, static function (Exposure $exposure) use (&$heard): void {
        $heard[] = $exposure;
    });
    $authored = array_column([...$document['flags']['experiments'] ?? [], ...$document['flags']['experiences'] ?? []], null, 'key');
    foreach ($document['cases'] as $case) {
        $heard = [];
        try {
            $found = experienceAnswer($rapport, $heard, $authored, $case['visitor'], $case['expect']);
            yield $case['name'] => differs('', $found, expectedOfPhp($case['expect']));
        } catch (Throwable $thrown) {
            yield $case['name'] => ["$thrown"];
        }
    }
}

/** What the engine in this process says of a visitor. */
function experienceAnswer(Local $rapport, array &$heard, array $authored, array $visitor, array $expect): array
{
    $found = experienceAsked($rapport, $visitor, $expect, static function () use (&$heard): void {
        $heard !== [] && throw new LogicException('a decision tells nobody');
    });
    foreach ($found['pages'] as &$page) {
        $to = $page['result']['value']['urlRedirect'] ?? null;
        if ($page['result']['inExperiment'] && $to !== null) {
            $page['redirect'] = Testing::redirect($visitor['url'] ?? '', $to, $authored[$page['experiment']]['persistQueryString'] ?? false);
        }
    }
    $found['exposures'] = once(array_map(viewed(...), $heard));
    return $found;
}

/**
 * The same asked of a server, to which `$publish` brings the file's bundle.
 *
 * @param Closure(string $file): void $publish
 * @return iterable<string, list<string>>
 */
function experiencesOverHttp(string $file, Closure $publish, string $server, string $key): iterable
{
    $document = json_decode((string) file_get_contents($file), true, 512, JSON_THROW_ON_ERROR);
    $publish($file);
    foreach ($document['cases'] as ['name' => $name, 'visitor' => $visitor, 'expect' => $expect]) {
        $outbox = new Outbox();
        $events = new Events($server, $key, $outbox);
        try {
            $found = experienceAsked(new Remote($server, $key, events: $events, timeout: 30), $visitor, $expect, static fn () => null);
            $events->flush();
            $found['exposures'] = once($outbox->properties('Experiment Viewed'));
            yield $name => differs('', $found, expectedOverHttp($expect, $visitor));
        } catch (Throwable $thrown) {
            yield $name => ["$thrown"];
        }
    }
}

/** As the case has it: the features that it names, and all experiments of pages. */
function experienceAsked(Rapport $rapport, array $visitor, array $expect, Closure $afterDecision): array
{
    $decision = $rapport->decide($visitor);
    $afterDecision();
    $found = ['score' => $decision->score?->score, 'band' => $decision->score?->band, 'features' => [], 'pages' => []];
    $seen = [];
    foreach (array_keys($expect['features']) as $key) {
        $feature = $rapport->feature((string) $key, $visitor);
        $found['features'][$key] = experienceFeature($feature);
        $seen[] = $feature->sticky ?? [];
        if (isset($decision->features[$key]) && $decision->features[$key]->value !== $feature->value) {
            throw new LogicException("$key is decided at once in another way");
        }
    }
    foreach (array_keys($expect['pages']) as $number) {
        $page = $rapport->experiment($number, $visitor);
        $found['pages'][] = ['experiment' => $page->experiment['key'], 'result' => $page->result];
        $seen[] = $page->sticky ?? [];
    }
    if (isset($visitor['stickyBucketAssignmentDocs'])) {
        // Each was given the same documents, and says those with what it changed.
        $found['sticky'] = $given = $visitor['stickyBucketAssignmentDocs'];
        foreach ($seen as $after) {
            foreach ($after as $name => $document) {
                $changed = array_diff_assoc($document['assignments'], $given[$name]['assignments'] ?? []);
                $found['sticky'][$name] = ['assignments' => $changed + ($found['sticky'][$name]['assignments'] ?? [])] + $document;
            }
        }
    }
    return $found;
}

/** Keeps what is sent. */
final class Outbox implements Transport
{
    private array $sent = [];

    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response
    {
        array_push($this->sent, ...json_decode($body, true)['batch']);
        return new Response(200, '{}');
    }

    /** @return list<array> the properties of the events of that name */
    public function properties(string $event): array
    {
        return array_column(array_filter($this->sent, static fn (array $one): bool => $one['event'] === $event), 'properties');
    }
}

/** Each experiment's variation once. */
function once(array $viewed): array
{
    $once = [];
    foreach ($viewed as $one) {
        $once["{$one['experimentId']} {$one['variationId']}"] ??= $one;
    }
    return array_values($once);
}

/** Over HTTP the page itself redirects; of nobody nothing is told. */
function expectedOverHttp(array $expect, array $visitor): array
{
    $expect = expectedOfPhp($expect);
    foreach ($expect['pages'] as &$page) {
        unset($page['redirect']);
    }
    $isSomebody = isset($visitor['anonymousId']) || isset($visitor['userId']);
    return ['exposures' => $isSomebody ? $expect['exposures'] : []] + $expect;
}

function experienceFeature(Feature $feature): array
{
    $answer = ['value' => $feature->value, 'source' => $feature->source, 'ruleId' => $feature->ruleId, 'why' => $feature->why()];
    return $feature->result === null ? $answer : $answer + ['experiment' => $feature->experiment['key'], 'result' => $feature->result];
}

/** The properties of an exposure's event. */
function viewed(Exposure $exposure): array
{
    $result = $exposure->result;
    return [
        'experimentId' => $exposure->experiment['key'],
        'variationId' => $result['key'],
        'variationName' => $result['name'] ?? null,
        'featureId' => $result['featureId'],
        'propensity' => $result['variationWeights'][$result['variationId']] ?? null,
        'leafId' => $result['leafId'] ?? null,
        'banditVersion' => $result['banditVersion'] ?? null,
    ];
}

/** What is expected, as far as PHP says it: of the reasons the last one, and no audiences. */
function expectedOfPhp(array $expect): array
{
    unset($expect['audiences']);
    foreach ($expect['features'] as &$feature) {
        // Where a rule decided, its name stands before the reason.
        $last = end($feature['why']);
        $feature['why'] = in_array($feature['source'], ['force', 'experiment'], true) ? explode(': ', $last, 2)[1] : $last;
    }
    return $expect;
}

/** The first difference; null is absent. */
function differs(string $at, mixed $found, mixed $wanted): array
{
    if (is_array($found) && is_array($wanted) && (!array_is_list($found) || !array_is_list($wanted) || count($found) === count($wanted))) {
        foreach (array_keys($found + $wanted) as $name) {
            $faults = differs("$at.$name", $found[$name] ?? null, $wanted[$name] ?? null);
            if ($faults !== []) {
                return $faults;
            }
        }
        return [];
    }
    return array_map(static fn (string $fault): string => "$at: $fault", same($found, $wanted));
}
