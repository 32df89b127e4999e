<?php
// GrowthBook's own cases (suites/growthbook/cases.json) through PHP's public API.
declare(strict_types=1);

use Rapport\Exposure;
use Rapport\Local;
use Rapport\Payload;
use Rapport\RapportException;
use Rapport\Testing;

/** How many cases there are of each kind; a file that holds others is not the one that is meant. */
const GROWTHBOOK = [
    'evalCondition' => 248, 'run' => 73, 'feature' => 55, 'contextualBandit' => 35, 'stickyBucket' => 13, 'urlRedirect' => 4, 'decrypt' => 10,
    'hash' => 15, 'getBucketRange' => 13, 'chooseVariation' => 13, 'getQueryStringOverride' => 16, 'inNamespace' => 16, 'getEqualWeights' => 6,
];

/** @return iterable<string, list<string>> what fails, by case */
function growthbook(string $file): iterable
{
    $cases = json_decode((string) file_get_contents($file), false, 512, JSON_THROW_ON_ERROR);
    foreach (GROWTHBOOK as $kind => $count) {
        if (count($cases->$kind) !== $count) {
            yield $kind => [count($cases->$kind) . " cases are not $count"];
            continue;
        }
        foreach ($cases->$kind as $at => $case) {
            try {
                $faults = growthbookCase($kind, $case);
            } catch (Throwable $thrown) {
                $faults = ["$thrown"];
            }
            yield "$kind $at: " . json_encode($case[0]) => $faults;
        }
    }
}

/** @return list<string> */
function growthbookCase(string $kind, array $case): array
{
    $near = static fn (array $found, array $expected): array => count($found) === count($expected)
        && array_filter(array_map(static fn ($one, $other): bool => abs($one - $other) >= 1e-6, $found, $expected)) === []
        ? [] : [json_encode($found) . ' is not ' . json_encode($expected)];
    switch ($kind) {
        case 'evalCondition':
            [, $condition, $attributes, $expected] = $case;
            $rule = ['force' => true, 'condition' => $condition];
            $payload = ['features' => ['f' => ['defaultValue' => false, 'rules' => [$rule]]], 'savedGroups' => $case[4] ?? new stdClass()];
            return same(opened($payload)->value('f', null, ['attributes' => (array) $attributes]), $expected);
        case 'feature':
        case 'contextualBandit':
            return like(opened($case[1])->feature($case[2], visitor($case[1])), $case[3]);
        case 'run':
            [, $context, $experiment, $value, $inExperiment, $hashUsed] = $case;
            $payload = ['experiments' => [$experiment]] + (array) $context;
            $result = opened($payload)->experiment(0, visitor($context))->result;
            $why = Testing::ask('experiment', $payload, 0)['why'];
            return [
                ...like(array_intersect_key($result, ['value' => 0, 'inExperiment' => 0, 'hashUsed' => 0]), compact('value', 'inExperiment', 'hashUsed')),
                ...same($result['why'], $why),
            ];
        case 'stickyBucket':
            [, $context, $documents, $key, $expected, $remembered] = $case;
            $exposures = [];
            $rapport = opened($context, static function (Exposure $exposure) use (&$exposures): void {
                $exposures[] = $exposure;
            });
            $documents = json_decode(json_encode($documents), true);
            $before = [];
            foreach ($documents as $document) {
                $before["{$document['attributeName']}||{$document['attributeValue']}"] = $document;
            }
            $feature = $rapport->feature($key, ['stickyBucketAssignmentDocs' => $before] + visitor($context));
            $after = array_merge($before, ...array_map(static fn (Exposure $exposure): array => $rapport->remember($exposure, $before), $exposures));
            // Of other visitors' documents nothing is expected.
            unset($after['deviceId||d456']);
            return [...like($feature->result, $expected), ...like($after, $remembered)];
        case 'urlRedirect':
            [, $context, [$expected]] = $case;
            $rapport = opened($context);
            foreach ($context->experiments as $at => $experiment) {
                $result = $rapport->experiment($at, visitor($context))->result;
                $to = $result['value']['urlRedirect'] ?? null;
                if ($result['inExperiment'] && $to !== null) {
                    $found = Testing::redirect($context->url, $to, $experiment->persistQueryString ?? false);
                    return like(['inExperiment' => true, 'urlRedirect' => $to, 'urlWithParams' => $found], $expected);
                }
            }
            return ['nothing redirects'];
        case 'decrypt':
            try {
                $found = Payload::decrypt($case[1], $case[2]);
            } catch (RapportException) {
                $found = null;
            }
            return same($found, $case[3]);
        case 'hash':
            return same(Testing::hash($case[0], $case[1], $case[2]), $case[3]);
        case 'getBucketRange':
            [$count, $coverage, $weights] = $case[1];
            return $near(array_merge(...Testing::ranges($count, $coverage, $weights)), array_merge(...$case[2]));
        case 'chooseVariation':
            return same(Testing::chosen($case[2], $case[1]) ?? -1, $case[3]);
        case 'getQueryStringOverride':
            return same(Testing::queryOverride($case[1], $case[2], $case[3]), $case[4]);
        case 'inNamespace':
            return same(Testing::inNamespace($case[1], ...$case[2]), $case[3]);
        case 'getEqualWeights':
            return $near(Testing::equalWeights(max($case[0], 0)), $case[1]);
    }
    return ["nobody knows the kind $kind"];
}

function opened(mixed $payload, ?Closure $onExposure = null): Local
{
    return Local::ofPayload(json_encode($payload, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION), null, $onExposure);
}

/** What a context says of the visitor; texts that are no UTF-8 cannot stand in JSON. */
function visitor(object $context): array
{
    $visitor = array_intersect_key((array) $context, array_flip(['attributes', 'url', 'enabled', 'qaMode', 'forcedVariations']));
    foreach (['attributes', 'forcedVariations'] as $member) {
        if (isset($visitor[$member])) {
            $visitor[$member] = (array) $visitor[$member];
        }
    }
    return $visitor;
}

/** @return list<string> */
function same(mixed $found, mixed $expected): array
{
    // A number is one, whichever of its two types PHP gave it.
    $equal = is_numeric($found) && !is_string($found) && is_numeric($expected) && !is_string($expected)
        ? (float) $found === (float) $expected
        : $found === $expected;
    return $equal ? [] : [json_encode($found) . ' is not ' . json_encode($expected)];
}

/** Whether both are written alike, whatever the order of members; null is absent. */
function like(mixed $found, mixed $expected): array
{
    [$found, $expected] = [written($found), written($expected)];
    return $found === $expected ? [] : ["$found is not $expected"];
}

function written(mixed $value): string
{
    $plain = static function (mixed $value, string|int $name = '') use (&$plain): mixed {
        if (is_float($value) && floor($value) === $value) {
            return (int) $value;
        }
        if (!is_array($value)) {
            return $value;
        }
        if (!array_is_list($value)) {
            ksort($value, SORT_STRING);
            $value = array_filter($value, static fn (mixed $member, string|int $own): bool => $own !== 'why' && ($name === 'value' || $member !== null), ARRAY_FILTER_USE_BOTH);
        }
        return array_combine(array_keys($value), array_map($plain, $value, array_keys($value)));
    };
    return json_encode($plain(json_decode(json_encode($value, JSON_PRESERVE_ZERO_FRACTION), true)));
}
