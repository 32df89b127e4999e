<?php

declare(strict_types=1);

namespace Rapport\WordPress;

use Rapport\Http\Response;
use Rapport\Http\Transport;
use Rapport\Http\Unreachable;

/** WordPress' own client: what the site says of proxies counts. */
final class Requests implements Transport
{
    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response
    {
        $answer = wp_remote_request($url, compact('method', 'headers', 'body', 'timeout') + ['redirection' => 0]);
        if (is_wp_error($answer)) {
            throw new Unreachable("$url does not answer: " . $answer->get_error_message());
        }
        return new Response((int) wp_remote_retrieve_response_code($answer), wp_remote_retrieve_body($answer));
    }
}
