<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;

final class ReadmeTest extends TestCase
{
    public function testTheReadmesCodeSaysWhatItsCommentsSay(): void
    {
        preg_match('/```php\n(.*?)```/s', (string) file_get_contents(__DIR__ . '/../README.md'), $found);
        preg_match_all('~// (.+)$~m', $found[1], $expected);
        $code = str_replace(["require 'vendor/autoload.php';", 'https://rapport.example'], ['', 'http://127.0.0.1:9'], $found[1]);
        // Nobody is there for what it would send.
        ob_start();
        eval($code);
        self::assertSame(implode("\n", $expected[1]) . "\n", ob_get_clean());
    }
}
