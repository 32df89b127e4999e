<?php
// Microseconds an evaluation in PHP, and what a million of them leave in memory:  php evaluate.php
// Prints a figure a line. One experiment of three variations behind three conditions; each call takes a new array of
// a visitor, evaluates from scratch and tells the exposure. RAPPORT_LIBRARY names the engine.
declare(strict_types=1);

use Rapport\Local;

require dirname(__DIR__, 3) . '/sdk-php/tests/bootstrap.php';

const VISITORS = 1_000;
const ROUND = 2_000;
const ROUNDS = 60;

$rule = [
    'id' => 'r1', 'key' => 'exp', 'seed' => 'exp', 'hashAttribute' => 'id', 'hashVersion' => 2,
    'condition' => ['country' => ['$in' => ['US', 'CA', 'GB']], 'plan' => 'pro', 'age' => ['$gte' => 18]],
    'variations' => ['control', 'b', 'c'], 'weights' => [0.3334, 0.3333, 0.3333], 'coverage' => 1,
    'meta' => [['key' => '0'], ['key' => '1'], ['key' => '2']],
];
$payload = ['features' => ['exp' => ['defaultValue' => 'control', 'rules' => [$rule]]]];
$exposures = 0;
$rapport = Local::ofPayload(json_encode($payload), null, static function () use (&$exposures): void {
    $exposures++;
});
$ask = static fn (array $user): mixed => $rapport->value('exp', 'x', ['attributes' => $user]);
$user = static fn (int $number, string $country = 'US'): array => ['id' => "u$number", 'country' => $country, 'plan' => 'pro', 'age' => 30];

// The split is that of GrowthBook's own SDKs, in whatever order visitors come, and attributes count each time.
$visitors = range(0, VISITORS - 1);
shuffle($visitors);
$split = ['control' => 0, 'b' => 0, 'c' => 0];
foreach ($visitors as $number) {
    $split[$ask($user($number))]++;
}
$abroad = count(array_filter($visitors, static fn (int $number): bool => $ask($user($number, 'FR')) !== 'control'));
if ($split !== ['control' => 331, 'b' => 320, 'c' => 349] || $abroad !== 0 || $exposures !== VISITORS) {
    fwrite(STDERR, 'the split is wrong: ' . json_encode([$split, $abroad, $exposures]) . "\n");
    exit(1);
}

$best = INF;
for ($round = 0; $round < ROUNDS; $round++) {
    $start = hrtime(true);
    for ($at = 0; $at < ROUND; $at++) {
        $ask(['id' => 'u' . $at % VISITORS, 'country' => 'US', 'plan' => 'pro', 'age' => 30]);
    }
    $best = min($best, (hrtime(true) - $start) / ROUND / 1_000);
}
said('evaluate_php_us', $best, 'us');

$resident = static fn (): int => (int) explode(' ', (string) file_get_contents('/proc/self/statm'))[1] * 4_096;
for ($at = 0; $at < 1_000_000; $at++) {
    if ($at === 100_000) {
        $before = $resident();
    }
    $ask(['id' => "fresh $at", 'country' => 'US', 'plan' => 'pro', 'age' => $at % 90]);
}
said('rss_growth_bytes_php', $resident() - $before, 'bytes');

function said(string $name, float $value, string $unit): void
{
    echo json_encode(compact('name', 'value', 'unit')), "\n";
}
