<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Engine\Library;

/** Core's units, for conformance cases. */
final class Testing
{
    public static function ask(string $what, mixed ...$arguments): mixed
    {
        $library = Library::get();
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;
        $json = json_encode([$what, ...$arguments], $flags);
        return json_decode($library->output($library->ffi->rapport_testing($json, strlen($json))), true, 512, JSON_THROW_ON_ERROR);
    }

    /** Where a value falls under a seed; nowhere with a hash version that nobody knows. */
    public static function hash(string $seed, string $value, int $version): ?float
    {
        return self::ask('hash', $seed, $value, $version);
    }

    /** @return list<array{float, float}> */
    public static function ranges(int $count, float $coverage, ?array $weights): array
    {
        return self::ask('ranges', $count, $coverage, $weights);
    }

    /** The first range that holds a place. */
    public static function chosen(array $ranges, float $place): ?int
    {
        return self::ask('chosen', $ranges, $place);
    }

    public static function queryOverride(string $key, string $address, int $variations): ?int
    {
        return self::ask('queryOverride', $key, $address, $variations);
    }

    public static function inNamespace(string $value, string $seed, float $from, float $to): bool
    {
        return self::ask('inNamespace', $value, $seed, $from, $to);
    }

    /** @return list<float> */
    public static function equalWeights(int $count): array
    {
        return self::ask('equalWeights', $count);
    }

    /** Where a redirect leads. */
    public static function redirect(string $from, string $to, bool $keepsQuery): string
    {
        return self::ask('redirect', $from, $to, $keepsQuery);
    }
}
