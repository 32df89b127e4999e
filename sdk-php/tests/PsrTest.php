<?php

declare(strict_types=1);

namespace Rapport\Tests;

use Nyholm\Psr7\Factory\Psr17Factory;
use PHPUnit\Framework\TestCase;
use Psr\Http\Client\ClientExceptionInterface;
use Psr\Http\Client\ClientInterface;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\ResponseInterface;
use Psr\SimpleCache\CacheInterface;
use Rapport\Http\Psr16;
use Rapport\Http\Psr18;
use Rapport\Http\Unreachable;

/** With Debian's packages of the interfaces, and its implementation of PSR-7. */
final class PsrTest extends TestCase
{
    public static function setUpBeforeClass(): void
    {
        foreach (['Psr/Http/Client', 'Psr/SimpleCache', 'Nyholm/Psr7'] as $package) {
            if (!is_file("/usr/share/php/$package/autoload.php")) {
                self::markTestSkipped("install php-psr-http-client, php-psr-simple-cache and php-nyholm-psr7: there is no $package");
            }
            require_once "/usr/share/php/$package/autoload.php";
        }
    }

    public function testAClientOfPsr18CarriesRequests(): void
    {
        $client = new class () implements ClientInterface {
            public ?RequestInterface $sent = null;

            public function sendRequest(RequestInterface $request): ResponseInterface
            {
                $this->sent = $request;
                return (new Psr17Factory())->createResponse(429)->withHeader('Retry-After', '2')->withBody((new Psr17Factory())->createStream('later'));
            }
        };
        $factory = new Psr17Factory();
        $response = (new Psr18($client, $factory, $factory))->send('POST', 'https://rapport.example/v1/batch', ['Authorization' => 'Basic x'], '{}');
        self::assertSame([429, 'later', '2'], [$response->status, $response->body, $response->headers['retry-after']]);
        $sent = $client->sent;
        self::assertSame(['POST', 'https://rapport.example/v1/batch', 'Basic x', '{}'], [$sent->getMethod(), (string) $sent->getUri(), $sent->getHeaderLine('Authorization'), (string) $sent->getBody()]);
    }

    public function testAClientThatFailsIsAServerThatDoesNotAnswer(): void
    {
        $client = new class () implements ClientInterface {
            public function sendRequest(RequestInterface $request): ResponseInterface
            {
                throw new class ('no route') extends \RuntimeException implements ClientExceptionInterface {
                };
            }
        };
        $this->expectException(Unreachable::class);
        (new Psr18($client, new Psr17Factory(), new Psr17Factory()))->send('GET', 'https://rapport.example');
    }

    public function testACacheOfPsr16KeepsWhatItIsGiven(): void
    {
        $cache = $this->createMock(CacheInterface::class);
        $cache->expects(self::once())->method('set')->with('rapport.x', ['at' => 1], 30);
        $cache->expects(self::once())->method('get')->with('rapport.x')->willReturn(['at' => 1]);
        $kept = new Psr16($cache);
        $kept->set('rapport.x', ['at' => 1], 30);
        self::assertSame(['at' => 1], $kept->get('rapport.x'));
    }
}
