<?php

declare(strict_types=1);

namespace Rapport\Http;

use Psr\Http\Client\ClientExceptionInterface;
use Psr\Http\Client\ClientInterface;
use Psr\Http\Message\RequestFactoryInterface;
use Psr\Http\Message\StreamFactoryInterface;

/** A client of PSR-18; how long it waits is set there. */
final class Psr18 implements Transport
{
    public function __construct(
        private readonly ClientInterface $client,
        private readonly RequestFactoryInterface $requests,
        private readonly StreamFactoryInterface $streams,
    ) {
    }

    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response
    {
        $request = $this->requests->createRequest($method, $url);
        foreach ($headers as $name => $value) {
            $request = $request->withHeader($name, $value);
        }
        if ($body !== '') {
            $request = $request->withBody($this->streams->createStream($body));
        }
        try {
            $response = $this->client->sendRequest($request);
        } catch (ClientExceptionInterface $failed) {
            throw new Unreachable("$url does not answer: {$failed->getMessage()}", 0, $failed);
        }
        $names = array_keys($response->getHeaders());
        $lines = array_map($response->getHeaderLine(...), $names);
        return new Response($response->getStatusCode(), (string) $response->getBody(), array_combine(array_map(strtolower(...), $names), $lines));
    }
}
