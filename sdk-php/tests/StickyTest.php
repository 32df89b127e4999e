<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\Bundle;
use Rapport\Http\Plain;
use Rapport\Local;
use Rapport\Remote;

/** Who got a variation keeps it, whatever becomes of the weights: in this process, and asked of a real server. */
final class StickyTest extends TestCase
{
    private static ?Served $server = null;

    public static function setUpBeforeClass(): void
    {
        $program = getenv('RAPPORT');
        self::$server = $program === false ? null : new Served($program);
    }

    public static function tearDownAfterClass(): void
    {
        self::$server?->stop();
        self::$server = null;
    }

    protected function setUp(): void
    {
        self::$server ?? self::markTestSkipped('RAPPORT names no server\'s binary: cargo xtask test builds it');
    }

    /** Publishes an experiment of a feature, and one of pages, and gives what asks about them. */
    private static function published(array $weights, int $bucketVersion = 1): array
    {
        $experiment = ['variations' => ['a', 'b'], 'weights' => $weights, 'bucketVersion' => $bucketVersion, 'hashVersion' => 2, 'hashAttribute' => 'id'];
        $meta = ['meta' => [['key' => 'A'], ['key' => 'B']]];
        $page = ['key' => 'page', 'variations' => [['css' => ''], ['css' => 'p{}']]] + $experiment + $meta;
        $flags = ['features' => ['hero' => ['defaultValue' => 'none', 'rules' => [['key' => 'hero-test'] + $experiment + $meta]]], 'experiments' => [$page]];
        ['url' => $url, 'key' => $key] = get_object_vars(self::$server);
        self::$server->ask('/v1/bundles', ['bundle' => ['signals' => [], 'flags' => $flags], 'models' => (object) []]);
        $public = json_decode((new Plain())->send('GET', "$url/v1/sdk/$key.json")->body, true)['publicKey'];
        return ['in process' => new Local(Bundle::fetch($url, $key, $public)), 'over HTTP' => new Remote($url, $key, timeout: 30)];
    }

    public function testWhatIsKeptIsGivenBackAndHoldsUntilTheVersionChanges(): void
    {
        $visitor = ['attributes' => ['id' => 'u1'], 'stickyBucketAssignmentDocs' => []];
        $kept = [];
        foreach (self::published([1, 0]) as $how => $rapport) {
            $hero = $rapport->feature('hero', $visitor);
            $document = ['attributeName' => 'id', 'attributeValue' => 'u1', 'assignments' => ['hero-test__1' => 'A']];
            self::assertEquals(['a', ['id||u1' => $document]], [$hero->value, $hero->sticky], $how);
            $page = $rapport->experiment(0, ['stickyBucketAssignmentDocs' => $hero->sticky] + $visitor);
            self::assertEquals(['hero-test__1' => 'A', 'page__1' => 'A'], $page->sticky['id||u1']['assignments'], $how);
            self::assertSame($hero->sticky, $rapport->decide($visitor)->features['hero']->sticky, $how);
            self::assertNull($rapport->feature('hero', ['attributes' => ['id' => 'u1']])->sticky, $how);
            $kept[$how] = ['stickyBucketAssignmentDocs' => $page->sticky] + $visitor;
        }
        foreach (self::published([0, 1]) as $how => $rapport) {
            $hero = $rapport->feature('hero', $kept[$how]);
            self::assertSame(['a', true], [$hero->value, $hero->result['stickyBucketUsed']], $how);
            self::assertSame([true, 0], [$rapport->experiment(0, $kept[$how])->result['stickyBucketUsed'], $rapport->experiment(0, $kept[$how])->result['variationId']], $how);
            self::assertSame('b', $rapport->feature('hero', $visitor)->value, $how);
            $list = ['stickyBucketAssignmentDocs' => array_values($kept[$how]['stickyBucketAssignmentDocs'])] + $visitor;
            self::assertEquals(['a', $hero->sticky], [$rapport->feature('hero', $list)->value, $rapport->feature('hero', $list)->sticky], "$how, as a list");
        }
        foreach (self::published([0, 1], 2) as $how => $rapport) {
            $hero = $rapport->feature('hero', $kept[$how]);
            self::assertSame('b', $hero->value, $how);
            self::assertSame('B', $hero->sticky['id||u1']['assignments']['hero-test__2'], $how);
        }
    }
}
