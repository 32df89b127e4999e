<?php

declare(strict_types=1);

namespace Rapport\Http;

/** By curl where PHP has it, else by PHP's own streams. */
final class Plain implements Transport
{
    private ?\CurlHandle $curl = null;

    public function send(string $method, string $url, array $headers = [], string $body = '', float $timeout = 3.0): Response
    {
        $lines = array_map(static fn (string $name, string $value): string => "$name: $value", array_keys($headers), $headers);
        return function_exists('curl_init')
            ? $this->byCurl($method, $url, $lines, $body, $timeout)
            : $this->byStream($method, $url, $lines, $body, $timeout);
    }

    private function byCurl(string $method, string $url, array $lines, string $body, float $timeout): Response
    {
        // One handle keeps the connection open from request to request.
        $this->curl ??= curl_init();
        curl_reset($this->curl);
        $answered = [];
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $url,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => [...$lines, 'Expect:'],
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_TIMEOUT_MS => (int) ($timeout * 1000),
            CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use (&$answered): int {
                $answered[] = $line;
                return strlen($line);
            },
        ] + ($body === '' ? [] : [CURLOPT_POSTFIELDS => $body]));
        $text = curl_exec($this->curl);
        if (!is_string($text)) {
            throw new Unreachable("$url does not answer: " . curl_error($this->curl));
        }
        return new Response(curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $text, self::headers($answered));
    }

    private function byStream(string $method, string $url, array $lines, string $body, float $timeout): Response
    {
        $http = ['method' => $method, 'header' => $lines, 'content' => $body, 'timeout' => $timeout, 'ignore_errors' => true, 'follow_location' => 0];
        $text = @file_get_contents($url, false, stream_context_create(['http' => $http]));
        if (!is_string($text)) {
            throw new Unreachable("$url does not answer: " . (error_get_last()['message'] ?? 'nobody says why'));
        }
        $status = (int) (explode(' ', $http_response_header[0] ?? '', 3)[1] ?? 0);
        return new Response($status, $text, self::headers($http_response_header));
    }

    /** @param list<string> $lines */
    private static function headers(array $lines): array
    {
        $headers = [];
        foreach ($lines as $line) {
            if (str_contains($line, ':')) {
                [$name, $value] = explode(':', $line, 2);
                $headers[strtolower(trim($name))] = trim($value);
            }
        }
        return $headers;
    }
}
