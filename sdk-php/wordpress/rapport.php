<?php
/**
 * Plugin Name: Rapport
 * Description: Shows each visitor what is decided for them, and measures what it does. No code, no PHP extensions.
 * Version: 0.1.0
 * Requires at least: 5.7
 * Requires PHP: 8.1
 * License: Apache-2.0
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

spl_autoload_register(static function (string $class): void {
    foreach (['Rapport\\WordPress\\' => __DIR__ . '/src/', 'Rapport\\' => __DIR__ . '/sdk/'] as $prefix => $folder) {
        $file = $folder . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
            return;
        }
    }
});

Rapport\WordPress\Plugin::start(__FILE__);
