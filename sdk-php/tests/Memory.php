<?php

declare(strict_types=1);

namespace Rapport\Tests;

use Rapport\Http\Cache;

/** A cache whose clock the test moves. */
final class Memory implements Cache
{
    public float $now = 1_000_000.0;
    private array $kept = [];

    public function get(string $key): mixed
    {
        [$value, $until] = $this->kept[$key] ?? [null, 0];
        return $this->now < $until ? $value : null;
    }

    public function set(string $key, mixed $value, int $seconds): void
    {
        $this->kept[$key] = [$value, $this->now + $seconds];
    }
}
