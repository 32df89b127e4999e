<?php
// The suite `experiences` and GrowthBook's conditions asked of a real server by PHP's HTTP mode, and these of the bundle that
// it published, in the process: php conformance/http.php. RAPPORT is the server's binary. Prints `suite host passed failed skipped` lines.
declare(strict_types=1);

use Rapport\Bundle;
use Rapport\Events;
use Rapport\Local;
use Rapport\Remote;

require dirname(__DIR__) . '/sdk-php/tests/bootstrap.php';
require __DIR__ . '/growthbook.php';
require __DIR__ . '/experiences.php';

$folder = sys_get_temp_dir() . '/rapport-http-' . bin2hex(random_bytes(6));
$server = proc_open([getenv('RAPPORT'), 'serve', '--listen', '127.0.0.1:0', '--dir', $folder], [1 => ['pipe', 'w']], $pipes);
register_shutdown_function(static function () use ($server, $folder): void {
    proc_terminate($server);
    proc_close($server);
    $all = new RecursiveIteratorIterator(new RecursiveDirectoryIterator($folder, FilesystemIterator::SKIP_DOTS), RecursiveIteratorIterator::CHILD_FIRST);
    foreach ($all as $file) {
        $file->isDir() ? rmdir((string) $file) : unlink((string) $file);
    }
    rmdir($folder);
});
$said = '';
while (!str_contains($said, 'Owner link') && is_string($line = fgets($pipes[1]))) {
    $said .= $line;
}
preg_match('/serves at (\S+)/', $said, $url) && preg_match('/wk_live_\w+/', $said, $key) && preg_match('/sk_live_\w+/', $said, $secret);
[$url, $key, $secret] = [$url[1], $key[0], $secret[0]];

$transport = new Rapport\Http\Plain();
$post = static fn (string $path, array $body): Rapport\Http\Response => $transport->send(
    'POST',
    $url . $path,
    ['Authorization' => "Bearer $secret", 'Content-Type' => 'application/json'],
    json_encode($body, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION),
    30,
);

// Before anything is authored, which then counts in the place of what a bundle brings.
[$ran, $faults] = [0, []];
$listed = array_column(json_decode((string) file_get_contents(__DIR__ . '/index.json'), true)['suites'], null, 'name')['experiences'];
$publish = static function (string $file) use ($post): void {
    $bundle = json_decode((string) file_get_contents(__DIR__ . '/cases/experiences/bundle.json'));
    unset($bundle->workspace, $bundle->environment);
    $bundle->flags = json_decode((string) file_get_contents($file))->flags;
    $model = base64_encode((string) file_get_contents(__DIR__ . '/models/points.rpm'));
    $answer = $post('/v1/bundles', ['bundle' => $bundle, 'models' => ['points' => $model]]);
    $answer->status === 201 ?: exit("no bundle is published: $answer->body\n");
};
foreach ($listed['files'] as $file) {
    foreach (experiencesOverHttp(__DIR__ . "/$file", $publish, $url, $key) as $case => $found) {
        $ran++;
        $found === [] || $faults["$file: $case"] = $found[0];
    }
}
$ran === $listed['cases'] || $faults['all'] = "$ran cases ran, {$listed['cases']} are listed";
echo 'experiences php-http ', $ran - count($faults), ' ', count($faults), " 0\n";
foreach (array_slice($faults, 0, 20) as $case => $fault) {
    echo "  $case: ", substr($fault, 0, 500), "\n";
}
$isWrong = $faults !== [];

$root = dirname(__DIR__);
$signals = json_decode((string) file_get_contents("$root/examples/demo/signals.json"), false, 512, JSON_THROW_ON_ERROR);
$model = base64_encode((string) file_get_contents("$root/sdk-js/dist/test/leads.rpm"));
$published = $post('/v1/bundles', ['bundle' => ['signals' => $signals, 'models' => [['name' => 'leads']]], 'models' => ['leads' => $model]]);
$published->status === 201 ?: exit("no bundle is published: $published->body\n");
$post('/v1/features', ['key' => 'scored', 'status' => 'running', 'definition' => ['defaultValue' => false, 'rules' => [['force' => true, 'condition' => ['$score' => ['$gte' => 0]]]]]]);

$cases = json_decode((string) file_get_contents(__DIR__ . '/suites/growthbook/cases.json'), false, 512, JSON_THROW_ON_ERROR)->evalCondition;
$asked = [];
foreach ($cases as $at => [, $condition, $attributes, $expected]) {
    // Saved groups and what would be refused where it is authored are cases of the engine alone.
    $rule = ['force' => true, 'condition' => $condition];
    $definition = ['defaultValue' => false, 'rules' => [$rule]];
    if (!isset($cases[$at][4]) && $post('/v1/features', ['key' => "case_$at", 'status' => 'running', 'definition' => $definition])->status === 201) {
        $asked["case_$at"] = [(array) $attributes, $expected, $cases[$at][0]];
    }
}
$last = array_key_last($asked);
$remote = static fn (): Remote => new Remote($url, $key, $transport, null, null, 30);
for ($tries = 0; $remote()->feature($last, [])->source === 'unknownFeature'; $tries++) {
    $tries < 600 ?: exit("the features are not published\n");
    usleep(50_000);
}
// In force and signed are told apart by less than a second.
$config = static fn (): array => json_decode($transport->send('GET', "$url/v1/sdk/$key.json")->body, true);
do {
    $publicKey = $config()['publicKey'] ?? null;
    $local = $publicKey === null ? null : new Local(Bundle::fetch($url, $key, $publicKey));
    $tries++ < 1_200 ?: exit("the bundle is not published\n");
    usleep(50_000);
} while ($local?->feature($last, [])->source !== 'defaultValue');

$isWrong = $isWrong || count($asked) < 150;

// The same events make the same score and reasons here and there.
[$same, $differ] = [0, []];
for ($number = 0; $number < 20; $number++) {
    $events = [];
    for ($at = 0; $at <= $number; $at++) {
        $path = ['/pricing', '/', '/docs/start', '/demo'][($at * 7 + $number) % 4];
        $events[] = [
            'type' => 'page', 'messageId' => "m-$number-$at", 'anonymousId' => "visitor-of-score-$number",
            'timestamp' => gmdate('Y-m-d\TH:i:s\Z', time() - 60 * ($number - $at)), 'context' => ['page' => ['path' => $path]],
        ];
    }
    $visitor = ['anonymousId' => "visitor-of-score-$number", 'events' => $events];
    [$here, $there] = [$local->explain($visitor), $remote()->explain($visitor)];
    $isSame = $here !== null && $there !== null && [$here->score, $here->band, $here->base, $here->reasons] === [$there->score, $there->band, $there->base, $there->reasons];
    $adds = $here !== null && $here->base + array_sum(array_column($here->reasons, 'points')) + $here->rest === $here->score;
    $isSame && $adds && $local->value('scored', null, $visitor) === true ? $same++ : $differ[] = json_encode([$here, $there]);
}
echo "decisions php-http $same ", count($differ), " 0\n";
foreach (array_slice($differ, 0, 5) as $fault) {
    echo "  $fault\n";
}
$isWrong = $isWrong || $differ !== [];
foreach (['asked' => $remote, 'fetched' => static fn (): Local => $local] as $how => $rapport) {
    [$passed, $faults] = [0, []];
    foreach ($asked as $feature => [$attributes, $expected, $name]) {
        $found = $rapport()->value($feature, null, ['attributes' => $attributes]);
        $found === $expected ? $passed++ : $faults[] = "$name: " . json_encode($found) . ' is not ' . json_encode($expected);
    }
    // What it reports, the server keeps.
    $events = new Events($url, $key, $transport);
    $events->track('Signed Up', ['anonymousId' => "somebody-$how"], ['plan' => 'pro']);
    $events->flush() && $events->dropped() === 0 ? $passed++ : $faults[] = 'the server takes no events';
    echo "growthbook-$how php-http $passed ", count($faults), " 0\n";
    foreach (array_slice($faults, 0, 20) as $fault) {
        echo "  $fault\n";
    }
    $isWrong = $isWrong || $faults !== [];
}
exit($isWrong ? 1 : 0);
