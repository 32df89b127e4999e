<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;

/** In FPM, where only what was preloaded may load anything. */
final class FpmTest extends TestCase
{
    private string $folder;
    /** @var resource|null */
    private $fpm = null;

    protected function setUp(): void
    {
        $program = (glob('/usr/sbin/php-fpm8*') ?: [])[0] ?? self::markTestSkipped('install php-fpm');
        $this->folder = sys_get_temp_dir() . '/rapport-fpm-' . bin2hex(random_bytes(6));
        mkdir($this->folder, 0755);
        $isRoot = posix_getuid() === 0;
        // Whoever owns the files can read them, wherever they are.
        $owner = posix_getpwuid(fileowner(__FILE__))['name'];
        $settings = ["[global]", "error_log = {$this->folder}/log", 'daemonize = no', '[www]', "listen = {$this->folder}/socket", 'pm = static', 'pm.max_children = 1'];
        file_put_contents("{$this->folder}/fpm.conf", implode("\n", [...$settings, ...($isRoot ? ["user = $owner", "group = $owner"] : [])]) . "\n");
        exec(escapeshellarg(dirname(__DIR__) . '/bin/rapport-preload'), $lines);
        $set = [];
        foreach ($lines as $line) {
            if ($isRoot || !str_contains($line, 'preload_user')) {
                array_push($set, '-d', str_replace([' ', 'www-data'], ['', $owner], $line));
            }
        }
        $command = [$program, '-F', '-y', "{$this->folder}/fpm.conf", ...($isRoot ? ['-R'] : []), ...$set];
        $this->fpm = proc_open($command, [['file', '/dev/null', 'r'], ['file', "{$this->folder}/said", 'w'], ['file', "{$this->folder}/said", 'w']], $pipes);
        for ($tries = 0; !file_exists("{$this->folder}/socket"); $tries++) {
            if ($tries > 600 || !proc_get_status($this->fpm)['running']) {
                self::fail('FPM does not start: ' . file_get_contents("{$this->folder}/said"));
            }
            usleep(50_000);
        }
    }

    protected function tearDown(): void
    {
        if ($this->fpm !== null) {
            proc_terminate($this->fpm);
            proc_close($this->fpm);
        }
        array_map(unlink(...), glob("{$this->folder}/*") ?: []);
        rmdir($this->folder);
    }

    public function testRequestsDecideAndMayLoadNothingElse(): void
    {
        $sdk = dirname(__DIR__);
        file_put_contents("{$this->folder}/page.php", <<<PHP
            <?php
            require '$sdk/tests/bootstrap.php';
            echo Rapport\Local::ofPayload('{"features": {"hero": {"defaultValue": "by the engine"}}}')->value('hero', '', []), "\n";
            try {
                FFI::cdef('int getpid(void);');
            } catch (FFI\Exception \$refused) {
                echo 'refused';
            }
            PHP);
        chmod("{$this->folder}/page.php", 0644);
        foreach ([1, 2] as $request) {
            self::assertStringEndsWith("by the engine\nrefused", $this->get("{$this->folder}/page.php"));
        }
    }

    /** What a script prints, by FastCGI. */
    private function get(string $script): string
    {
        $record = static fn (int $type, string $content): string => pack('CCnnCC', 1, $type, 1, strlen($content), 0, 0) . $content;
        $parameters = '';
        foreach (['SCRIPT_FILENAME' => $script, 'SCRIPT_NAME' => '/page.php', 'REQUEST_METHOD' => 'GET', 'GATEWAY_INTERFACE' => 'CGI/1.1'] as $name => $value) {
            $parameters .= chr(strlen($name)) . chr(strlen($value)) . $name . $value;
        }
        $socket = stream_socket_client("unix://{$this->folder}/socket");
        stream_set_timeout($socket, 30);
        fwrite($socket, $record(1, pack('nC6', 1, 0, 0, 0, 0, 0, 0)) . $record(4, $parameters) . $record(4, '') . $record(5, ''));
        $said = '';
        while (strlen($head = (string) stream_get_contents($socket, 8)) === 8) {
            ['type' => $type, 'length' => $length, 'padding' => $padding] = unpack('x/Ctype/x2/nlength/Cpadding', $head);
            $content = $length + $padding > 0 ? (string) stream_get_contents($socket, $length + $padding) : '';
            if ($type === 3) {
                break;
            }
            $said .= substr($content, 0, $length);
        }
        fclose($socket);
        return $said;
    }
}
