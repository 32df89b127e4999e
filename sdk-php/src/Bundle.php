<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Http\Transport;

/** What a workspace published: parts whose hashes a signed manifest names (docs/bundle-format.md). */
final class Bundle
{
    private function __construct(
        public readonly string $flags,
        public readonly string $signals,
        public readonly string $model,
        public readonly string $words,
        /** The hash of the manifest; empty where there is none. */
        public readonly string $id,
        /** Where only the server can run the live model, which somebody brought: the name of its fallback, which `model` is. */
        public readonly ?string $fallback = null,
    ) {
    }

    /** Compiled flags alone, such as `Engine\Flags::compile` makes of GrowthBook's payload. */
    public static function ofFlags(string $flags): self
    {
        return new self($flags, '', '', '', '');
    }

    /**
     * Checks the manifest's signature and the parts' hashes. Fails closed: what is not signed is not opened.
     *
     * @param array{manifest: string, signature: string} $publication as the server gives it; the signature in base 64
     * @param callable(string $hash, bool $isPublic): string $part the bytes of a part; empty where it is private, and not at hand
     * @param string $publicKey in base 64; keep it with your code rather than asking for it
     */
    public static function open(array $publication, callable $part, string $publicKey): self
    {
        $manifest = (string) ($publication['manifest'] ?? '');
        $signature = base64_decode((string) ($publication['signature'] ?? ''), true);
        $key = base64_decode($publicKey, true);
        if ($key === false || strlen($key) !== SODIUM_CRYPTO_SIGN_PUBLICKEYBYTES) {
            throw new RapportException('the public key is not 32 bytes in base 64: copy it from the workspace');
        }
        $isSigned = is_string($signature) && strlen($signature) === SODIUM_CRYPTO_SIGN_BYTES
            && sodium_crypto_sign_verify_detached($signature, $manifest, $key);
        if (!$isSigned) {
            throw new RapportException("the manifest's signature is not that of the workspace's key: nothing of it is used");
        }
        $named = json_decode($manifest, true, 16, JSON_THROW_ON_ERROR);
        if (($named['format'] ?? null) !== 1) {
            throw new RapportException('the bundle has another format than this SDK reads: update it');
        }
        $find = static function (string $kind) use ($named): ?array {
            $candidates = array_values(array_filter($named['parts'], static fn (array $one): bool => $one['kind'] === $kind));
            $defaults = array_values(array_filter($candidates, static fn (array $one): bool => $one['default'] ?? false));
            return $defaults[0] ?? $candidates[0] ?? null;
        };
        $bytes = static function (string $kind) use ($find, $part): string {
            $chosen = $find($kind);
            if ($chosen === null) {
                return '';
            }
            $isPublic = $chosen['public'] ?? true;
            $bytes = $part($chosen['hash'], $isPublic);
            if ($bytes === '' && !$isPublic) {
                return '';
            }
            if (!hash_equals($chosen['hash'], hash('sha256', $bytes))) {
                throw new RapportException("the part $kind is not what the manifest says: fetch the bundle anew");
            }
            return $bytes;
        };
        $isBrought = $find('brought') !== null;
        $fallback = $isBrought ? $find('fallback')['name'] ?? '' : null;
        return new self($bytes('flags'), $bytes('signals'), $bytes($isBrought ? 'fallback' : 'model'), $bytes('words'), hash('sha256', $manifest), $fallback);
    }

    /**
     * From the file that `rapport bundle compile` writes, for hosts without a network.
     *
     * @param string|null $publicKey without one the file's own is taken, which proves that nothing was damaged, not who published it
     */
    public static function ofFile(string $path, ?string $publicKey = null): self
    {
        $file = is_file($path) ? json_decode((string) file_get_contents($path), true) : null;
        if (!isset($file['manifest'], $file['signature'], $file['publicKey'], $file['parts'])) {
            throw new RapportException("$path holds no bundle: name a file that `rapport bundle compile` wrote");
        }
        return self::open($file, static fn (string $hash): string => (string) base64_decode($file['parts'][$hash] ?? '', true), $publicKey ?? $file['publicKey']);
    }

    /**
     * Asks a server for what is published under a key.
     *
     * @param string|null $secretKey of an owner, admin or developer: brings a model that no page may have; without it nobody is scored then
     */
    public static function fetch(string $server, string $key, string $publicKey, ?Transport $transport = null, ?string $secretKey = null): self
    {
        $transport ??= new Http\Plain();
        $server = rtrim($server, '/');
        $get = static function (string $path, array $headers = []) use ($transport, $server): string {
            $response = $transport->send('GET', $server . $path, $headers);
            return $response->status === 200 ? $response->body : throw new RapportException("$server$path answered {$response->status}");
        };
        $config = json_decode($get('/v1/sdk/' . rawurlencode($key) . '.json'), true, 64);
        if (!is_array($config)) {
            throw new RapportException("$server answered what is no bundle: is that the address of a Rapport server?");
        }
        if (!isset($config['manifest'])) {
            throw new RapportException('nothing is published yet under this key');
        }
        $part = static fn (string $hash, bool $isPublic): string => match (true) {
            $isPublic => $get('/v1/parts/' . rawurlencode($key) . "/$hash.bin"),
            $secretKey !== null => $get("/v1/bundles/parts/$hash", ['Authorization' => "Bearer $secretKey"]),
            default => '',
        };
        return self::open($config, $part, $publicKey);
    }
}
