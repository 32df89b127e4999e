<?php
// Compiled by FPM before it serves anybody (bin/rapport-preload): with ffi.enable = preload, only code that was
// compiled then may use FFI. A site that preloads code of its own requires this file there.
declare(strict_types=1);

foreach (new RegexIterator(new RecursiveIteratorIterator(new RecursiveDirectoryIterator(__DIR__ . '/src')), '/\.php$/') as $file) {
    // What extends an interface of a package that is absent stays as it is, and is loaded when it is used.
    opcache_compile_file((string) $file);
}
