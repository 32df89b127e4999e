<?php

declare(strict_types=1);

namespace Rapport\Engine;

use FFI;
use FFI\CData;
use Rapport\RapportException;

/** Core as a shared library: what `rapport.h` declares. */
final class Library
{
    /** The version of the declarations that this SDK was written for. */
    private const ABI = 1;
    /** As `FFI_SCOPE` in `rapport.h`. */
    private const SCOPE = 'RAPPORT';

    private static ?self $default = null;

    private function __construct(public readonly FFI $ffi)
    {
        if ($ffi->rapport_abi() !== self::ABI) {
            throw new RapportException('librapport.so is of another version than this SDK: install both anew');
        }
    }

    /** The library that FPM preloaded (bin/rapport-preload); else that of `RAPPORT_LIBRARY`, else the one beside the SDK. */
    public static function get(): self
    {
        return self::$default ??= self::preloaded() ?? self::load(getenv('RAPPORT_LIBRARY') ?: self::folder() . '/librapport.so');
    }

    /** Loads the library from a file; `rapport.h` lies beside it or beside the SDK. */
    public static function load(string $file): self
    {
        if (!class_exists(FFI::class, false)) {
            throw new RapportException('the extension FFI is not loaded: enable it, or decide over HTTP with Rapport\Remote');
        }
        $header = is_file(dirname($file) . '/rapport.h') ? dirname($file) . '/rapport.h' : self::folder() . '/rapport.h';
        if (!is_file($file) || !is_file($header)) {
            throw new RapportException("$file or rapport.h is missing: build them with `cargo xtask php`");
        }
        try {
            return new self(FFI::cdef((string) file_get_contents($header), realpath($file)));
        } catch (FFI\Exception $refused) {
            throw new RapportException("cannot load $file: {$refused->getMessage()}", 0, $refused);
        }
    }

    /** Whether decisions can be made in this process. */
    public static function isAvailable(): bool
    {
        try {
            return self::get() instanceof self;
        } catch (RapportException) {
            return false;
        }
    }

    /** The bytes that the last call answered with. */
    public function output(int $length): string
    {
        if ($length < 0) {
            throw $this->refusal();
        }
        return $length === 0 ? '' : FFI::string($this->ffi->rapport_output(), $length);
    }

    /** A handle or an address, if the call was not refused. */
    public function given(int|CData|null $answer): int|CData
    {
        return $answer === 0 || $answer === null ? throw $this->refusal() : $answer;
    }

    public function refusal(): RapportException
    {
        return new RapportException($this->ffi->rapport_error() ?? '');
    }

    private static function preloaded(): ?self
    {
        if (!class_exists(FFI::class, false)) {
            return null;
        }
        try {
            return new self(FFI::scope(self::SCOPE));
        } catch (FFI\Exception) {
            return null;
        }
    }

    private static function folder(): string
    {
        return dirname(__DIR__, 2) . '/lib';
    }
}
