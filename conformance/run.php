<?php
// Runs the conformance cases through PHP's FFI: php conformance/run.php
// Prints `suite host passed failed skipped` a line, and what fails. RAPPORT_LIBRARY names the library.
declare(strict_types=1);

use Rapport\Engine\Library;
use Rapport\Engine\Profiles;
use Rapport\Engine\Scorer;
use Rapport\RapportException;
use Rapport\Testing;

spl_autoload_register(static function (string $class): void {
    $file = dirname(__DIR__) . '/sdk-php/src/' . strtr(substr($class, strlen('Rapport\\')), '\\', '/') . '.php';
    if (str_starts_with($class, 'Rapport\\') && is_file($file)) {
        require $file;
    }
});
require __DIR__ . '/growthbook.php';
require __DIR__ . '/experiences.php';

const HOST = 'php-ffi';

$suites = [
    'event' => static function (object $document): iterable {
        foreach ($document->cases as $case) {
            try {
                $found = isset($case->received) ? eventTime($case->event, $case->received) : bin2hex(Profiles::event(Library::get(), $case->event, $case->time));
            } catch (RapportException $refused) {
                $right = isset($case->error) && str_contains($refused->getMessage(), $case->error);
                yield $case->name => $right ? [] : ["is refused: {$refused->getMessage()}"];
                continue;
            }
            yield $case->name => same($found, $case->error ?? $case->bytes ?? $case->time);
        }
    },
    'fold' => static function (object $document, string $file): iterable {
        foreach ($document->cases as $case) {
            [$faults, $set] = [[], $case->signals];
            $profiles = signals($file, $set);
            $profile = $profiles->fold('', []);
            foreach ($case->steps as $step) {
                if (isset($step->event)) {
                    $profile = $profiles->fold($profile, [[Profiles::event(Library::get(), $step->event), $step->now]]);
                } elseif (isset($step->stored)) {
                    $profile = hex2bin($step->stored);
                } elseif (isset($step->reopen)) {
                    $profiles = signals($file, $set = $step->reopen);
                    $profile = $profiles->fold($profile, []);
                } elseif (isset($step->merge)) {
                    $profile = $profiles->merge($profile, $profiles->fold('', arrived($step->merge)));
                } else {
                    foreach (valuesOf($profiles, $profile, $document->sets->$set, $step->now) as $name => $found) {
                        array_push($faults, ...array_map(static fn (string $fault): string => "$name: $fault", same($found, $step->values->$name)));
                    }
                    array_push($faults, ...(isset($step->profile) ? same(bin2hex($profile), $step->profile) : []));
                }
            }
            yield $case->name => $faults;
        }
    },
    'histories' => static function (object $document, string $file): iterable {
        foreach ($document->cases as $told) {
            $profiles = signals($file, $told->signals);
            $stored = static fn (array $places, string $from = ''): string => $profiles->fold($from, arrived(array_map(static fn (int $place): object => $told->arrivals[$place]->event, $places)));
            ['people' => $people, 'folds' => $folds] = Testing::ask('history', $told->arrivals, $told->granted);
            $faults = [
                ...like($people, $told->people),
                ...like($folds, $told->folds),
                ...like(array_map(static fn (array $places): string => bin2hex($stored($places)), $folds), $told->profiles),
            ];
            foreach ($told->pages ?? [] as $page) {
                $before = array_slice($told->arrivals, 0, $page->after);
                $then = Testing::ask('history', $before, $told->granted);
                $hint = $stored($then['folds'][$then['people']["a:{$page->browser}"]]);
                // A page folds what it sent and the hint does not hold, each message once.
                $known = array_map(static fn (object $arrival): ?string => $arrival->event->messageId ?? null, $before);
                $own = [];
                for ($at = $page->after; $at < $page->until; $at++) {
                    $event = $told->arrivals[$at]->event ?? null;
                    if (($event->anonymousId ?? null) === $page->browser && !in_array($event->messageId, $known, true)) {
                        $known[] = $event->messageId;
                        $own[] = $at;
                    }
                }
                array_push($faults, ...same(bin2hex($stored($own, $hint)), $page->profile));
            }
            yield $told->name => $faults;
        }
    },
    'score' => static function (object $document): iterable {
        $recorded = read('bits/score.json');
        foreach ($document->cases as $case) {
            $found = scorer($case->model)->score(numbers($case->row));
            yield $case->name => [
                ...near($found['margin'], $case->expect->margin, $case->expect->within),
                ...near($found['probability'], $case->expect->probability, $case->expect->within),
                ...same($found['score'], $case->expect->score),
                ...same($found['band'], $case->expect->band),
                ...like(['margin' => bits($found['margin']), 'probability' => bits($found['probability'])], $recorded->{$case->name}),
            ];
        }
    },
    'explain' => static function (object $document): iterable {
        $recorded = read('bits/explain.json');
        foreach ($document->cases as $case) {
            $found = scorer($case->model)->explain(numbers($case->row));
            $expect = $case->expect;
            $contributions = array_map(static fn (float $found, float $expected): array => near($found, $expected, $expect->within), $found['contributions'], $expect->contributions);
            $bits = ['contributions' => array_map(bits(...), $found['contributions']), 'base' => $found['baseScore'], 'score' => $found['score'], 'points' => $found['points']];
            yield $case->name => [
                ...near($found['base'], $expect->base, $expect->within),
                ...array_merge(...$contributions),
                ...same($found['baseScore'] + array_sum($found['points']), $found['score']),
                ...like($bits, $recorded->{$case->name}),
            ];
        }
    },
    'points' => static function (object $document): iterable {
        $recorded = read('bits/points.json');
        foreach ($document->cases as $case) {
            $bytes = (string) file_get_contents(__DIR__ . "/{$case->model}");
            $levels = Testing::ask('levels', array_values(unpack('C*', $bytes)));
            [$state, $digest, $faults] = [$case->seed, 0x811c9dc5, []];
            $random = static function () use (&$state): int {
                $state ^= $state << 13 & 0xffffffff;
                $state ^= $state >> 17;
                return $state ^= $state << 5 & 0xffffffff;
            };
            for ($at = 0; $at < $case->rows && count($faults) < 5; $at++) {
                $row = [];
                foreach ($levels as $count) {
                    $row[] = made($count, $random);
                }
                $found = scorer($case->model)->explain($row);
                if ($found['baseScore'] + array_sum($found['points']) !== $found['score']) {
                    $faults[] = "row $at: " . json_encode($found);
                }
                foreach ([$found['baseScore'], $found['score'], ...$found['points']] as $word) {
                    $digest = (($digest ^ $word & 0xffffffff) * 0x01000193) & 0xffffffff;
                }
            }
            yield $case->name => [...$faults, ...same(sprintf('%08x', $digest), $recorded->{$case->name})];
        }
    },
    'import' => static function (object $document): iterable {
        foreach ($document->cases as $case) {
            $bytes = array_values(unpack('C*', (string) file_get_contents(__DIR__ . "/{$case->model}")));
            try {
                $model = new Scorer(Library::get(), pack('C*', ...Testing::ask('import', $case->format, $bytes)));
                $faults = isset($case->expect->refused)
                    ? ["was imported, not refused for {$case->expect->refused}"]
                    : near($model->score(numbers($case->row))['margin'], $case->expect->margin, $case->expect->within);
            } catch (RapportException $refused) {
                $right = isset($case->expect->refused) && str_contains($refused->getMessage(), $case->expect->refused);
                $faults = $right ? [] : ["is refused: {$refused->getMessage()}"];
            }
            yield $case->name => $faults;
        }
    },
];

$failed = 0;
foreach (read('index.json')->suites as $suite) {
    $run = $suites[$suite->name] ?? null;
    $results = static function () use ($run, $suite): iterable {
        if ($suite->name === 'experiences') {
            $ran = 0;
            foreach ($suite->files as $file) {
                foreach (experiences(__DIR__ . "/$file") as $case => $faults) {
                    $ran++;
                    yield "$file: $case" => $faults;
                }
            }
            $ran === $suite->cases || yield 'all' => ["$ran cases ran, $suite->cases are listed"];
            return;
        }
        foreach ($suite->files as $file) {
            $document = read($file);
            foreach ($run === null ? array_fill(0, count($document->cases), null) : $run($document, $file) as $case => $faults) {
                yield "$file: $case" => $faults;
            }
        }
    };
    $failed += report($suite->name, $results());
}
$failed += report('growthbook', growthbook(__DIR__ . '/suites/growthbook/cases.json'));
exit($failed > 0 ? 1 : 0);

/** Prints a suite's line and its faults; how many cases failed. */
function report(string $suite, iterable $results): int
{
    [$passed, $failed, $skipped, $said] = [0, 0, 0, []];
    foreach ($results as $name => $faults) {
        match (true) {
            $faults === null => $skipped++,
            $faults === [] => $passed++,
            default => $failed++,
        };
        foreach ($faults ?? [] as $fault) {
            $said[] = "$name: $fault";
        }
    }
    echo "$suite ", HOST, " $passed $failed $skipped\n";
    foreach (array_slice($said, 0, 20) as $line) {
        echo '  ', substr($line, 0, 1000), "\n";
    }
    if ($skipped > 0) {
        echo "  $suite: this runner does not know the suite yet\n";
    }
    return $failed;
}

function read(string $file): object
{
    return json_decode((string) file_get_contents(__DIR__ . "/$file"), false, 512, JSON_THROW_ON_ERROR);
}

function eventTime(object $event, float $received): float
{
    $json = json_encode($event);
    $time = Library::get()->ffi->rapport_event_time($json, strlen($json), $received);
    return is_nan($time) ? throw Library::get()->refusal() : $time;
}

function signals(string $file, string $set): Profiles
{
    return new Profiles(Library::get(), hex2bin(read('cases/fold-parts.json')->{"$file#$set"}));
}

/** Events that arrive when they happen. */
function arrived(array $events): array
{
    return array_map(static fn (object $event): array => [Profiles::event(Library::get(), $event), null], $events);
}

/** As the cases write them: the bits of a number, the hash of a level, null where missing. */
function valuesOf(Profiles $profiles, string $profile, array $set, float $now): array
{
    // A part holds its signals in the order of their ids.
    usort($set, static fn (object $one, object $other): int => $one->id <=> $other->id);
    $written = static fn (float|int|null $value): ?string => is_int($value) ? sprintf('#%08x', $value) : ($value === null ? null : bits($value));
    return array_combine(array_column($set, 'name'), array_map($written, $profiles->values($profile, count($set), $now)));
}

function scorer(string $model): Scorer
{
    static $open = [];
    return $open[$model] ??= new Scorer(Library::get(), (string) file_get_contents(__DIR__ . "/$model"));
}

/** A row as cases write it: null where missing, and the infinities by name. */
function numbers(array $row): array
{
    return array_map(static fn (mixed $value): float => match ($value) {
        null => NAN,
        'inf' => INF,
        '-inf' => -INF,
        default => (float) $value,
    }, $row);
}

/** A value as README.md says. */
function made(?int $levels, callable $random): float
{
    $what = $random() % 40;
    if ($what < 6) {
        return [4 => INF, 5 => -INF][$what] ?? NAN;
    }
    if ($levels !== null) {
        return $random() % ($levels + 1);
    }
    $number = ($random() % 8001 - 4000) / 1000;
    return $number * [1, 1, 10, 1000][$random() % 4];
}

function near(float $found, float $expected, float $within): array
{
    return abs($found - $expected) <= $within ? [] : ["$found is not $expected"];
}

function bits(float $number): string
{
    return bin2hex(pack('E', $number));
}
