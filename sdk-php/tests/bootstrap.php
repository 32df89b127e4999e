<?php

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    foreach (['Rapport\\Tests\\' => __DIR__, 'Rapport\\' => dirname(__DIR__) . '/src'] as $prefix => $folder) {
        $file = $folder . '/' . strtr(substr($class, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($class, $prefix) && is_file($file)) {
            require $file;
            return;
        }
    }
});
