<?php

declare(strict_types=1);

namespace Rapport\WordPress;

use Rapport\Http\Cache;

/** WordPress' own cache: the site's object cache where there is one, else the database. */
final class Transients implements Cache
{
    public function get(string $key): mixed
    {
        $kept = get_transient(self::name($key));
        return $kept === false ? null : $kept;
    }

    public function set(string $key, mixed $value, int $seconds): void
    {
        set_transient(self::name($key), $value, $seconds);
    }

    /** Names of more than 172 characters are cut. */
    private static function name(string $key): string
    {
        return substr($key, 0, 100);
    }
}
