<?php

declare(strict_types=1);

namespace Rapport\Tests;

use Rapport\Http\Plain;

/** A real server with one workspace. */
final class Served
{
    public readonly string $url;
    public readonly string $key;
    public readonly string $secret;
    private readonly string $folder;
    /** @var resource */
    private $process;

    public function __construct(string $program)
    {
        $this->folder = sys_get_temp_dir() . '/rapport-served-' . bin2hex(random_bytes(6));
        $this->process = proc_open([$program, 'serve', '--listen', '127.0.0.1:0', '--dir', $this->folder], [1 => ['pipe', 'w']], $pipes);
        $said = '';
        while (!str_contains($said, 'Owner link') && is_string($line = fgets($pipes[1]))) {
            $said .= $line;
        }
        preg_match('/serves at (\S+)/', $said, $url) && preg_match('/wk_live_\w+/', $said, $key) && preg_match('/sk_live_\w+/', $said, $secret);
        [$this->url, $this->key, $this->secret] = [$url[1], $key[0], $secret[0]];
    }

    /** Asks as the owner. */
    public function ask(string $path, array $body): array
    {
        $headers = ['Authorization' => "Bearer $this->secret", 'Content-Type' => 'application/json'];
        $answer = (new Plain())->send('POST', $this->url . $path, $headers, json_encode((object) $body, JSON_THROW_ON_ERROR), 30);
        return $answer->status < 300 ? json_decode($answer->body, true) : throw new \RuntimeException("$path answered $answer->status: $answer->body");
    }

    public function stop(): void
    {
        proc_terminate($this->process);
        proc_close($this->process);
        $all = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($this->folder, \FilesystemIterator::SKIP_DOTS), \RecursiveIteratorIterator::CHILD_FIRST);
        foreach ($all as $file) {
            $file->isDir() ? rmdir((string) $file) : unlink((string) $file);
        }
        rmdir($this->folder);
    }
}
