<?php

declare(strict_types=1);

namespace Rapport\Http;

/** What keeps answers from request to request: {@see Psr16} around your own cache, or the platform's. */
interface Cache
{
    /** What was kept; null where nothing is. */
    public function get(string $key): mixed;

    /** Keeps a value of texts, numbers and arrays for so many seconds. */
    public function set(string $key, mixed $value, int $seconds): void;
}
