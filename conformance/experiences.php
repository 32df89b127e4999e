<?php
// The suite `experiences` through PHP's public API: bundles opened, visitors decided for.
declare(strict_types=1);

use Rapport\Bundle;
use Rapport\Exposure;
use Rapport\Feature;
use Rapport\Local;
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

/** As the case has it: the features that it names, all experiments of pages, and what is told. */
function experienceAnswer(Local $rapport, array &$heard, array $authored, array $visitor, array $expect): array
{
    $decision = $rapport->decide($visitor);
    $heard !== [] && throw new LogicException('a decision tells nobody');
    $found = ['score' => $decision->score?->score, 'band' => $decision->score?->band, 'features' => [], 'pages' => []];
    foreach (array_keys($expect['features']) as $key) {
        $feature = $rapport->feature((string) $key, $visitor);
        $found['features'][$key] = experienceFeature($feature);
        if (isset($decision->features[$key]) && $decision->features[$key]->value !== $feature->value) {
            throw new LogicException("$key is decided at once in another way");
        }
    }
    foreach (array_keys($expect['pages']) as $number) {
        $page = $rapport->experiment($number, $visitor);
        $key = $page->experiment['key'];
        $answer = ['experiment' => $key, 'result' => $page->result];
        $to = $page->result['value']['urlRedirect'] ?? null;
        if ($page->result['inExperiment'] && $to !== null) {
            $answer['redirect'] = Testing::redirect($visitor['url'] ?? '', $to, $authored[$key]['persistQueryString'] ?? false);
        }
        $found['pages'][] = $answer;
    }
    $exposures = [];
    foreach ($heard as $exposure) {
        $viewed = viewed($exposure);
        $exposures["{$viewed['experimentId']} {$viewed['variationId']}"] ??= $viewed;
    }
    $found['exposures'] = array_values($exposures);
    if (isset($visitor['stickyBucketAssignmentDocs'])) {
        $documents = $visitor['stickyBucketAssignmentDocs'];
        foreach ($heard as $exposure) {
            $documents = array_merge($documents, $rapport->remember($exposure, $documents));
        }
        $found['sticky'] = $documents;
    }
    return $found;
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
