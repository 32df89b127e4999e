<?php

declare(strict_types=1);

namespace Rapport\Http;

/** What carries requests: {@see Plain}, {@see Psr18} around your own client, or the platform's. */
interface Transport
{
    /**
     * @param array<string, string> $headers
     * @param float $timeout seconds for all of it
     * @throws Unreachable where no answer came
     */
    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response;
}
