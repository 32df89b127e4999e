<?php

declare(strict_types=1);

namespace Rapport\Tests;

use Rapport\Http\Response;
use Rapport\Http\Transport;
use Rapport\Http\Unreachable;

/** Answers what it was told to, and keeps what it was sent. */
final class Recorded implements Transport
{
    /** @var list<array{string, string, array, string}> */
    public array $sent = [];

    /** @param list<Response|null> $answers one a request, the last one for all further ones; null is no answer */
    public function __construct(public array $answers)
    {
    }

    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response
    {
        $this->sent[] = [$method, $url, $headers, $body];
        $answer = count($this->answers) > 1 ? array_shift($this->answers) : $this->answers[0];
        return $answer ?? throw new Unreachable('nobody answers');
    }

    /** @return list<array> the events of the batch that was sent so-and-so-many-th */
    public function batch(int $at): array
    {
        return json_decode($this->sent[$at][3], true)['batch'];
    }
}
