<?php

declare(strict_types=1);

namespace Rapport\Http;

/** An answer. */
final class Response
{
    /** @param array<string, string> $headers by their names in lower case */
    public function __construct(public readonly int $status, public readonly string $body, public readonly array $headers = [])
    {
    }
}
