<?php

declare(strict_types=1);

namespace Rapport\Http;

use Psr\SimpleCache\CacheInterface;

/** A cache of PSR-16. */
final class Psr16 implements Cache
{
    public function __construct(private readonly CacheInterface $cache)
    {
    }

    public function get(string $key): mixed
    {
        return $this->cache->get($key);
    }

    public function set(string $key, mixed $value, int $seconds): void
    {
        $this->cache->set($key, $value, $seconds);
    }
}
