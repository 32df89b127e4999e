<?php
// A page cache as WordPress' drop-in: keeps whole pages by their address and the cookie rapport_vary.
declare(strict_types=1);

(static function (): void {
    $isPage = ($_SERVER['REQUEST_METHOD'] ?? '') === 'GET' && preg_match('~^/(wp-|.*rest_route)~', $_SERVER['REQUEST_URI'] ?? '') === 0;
    foreach (array_keys($_COOKIE) as $name) {
        $isPage = $isPage && !str_starts_with((string) $name, 'wordpress_logged_in');
    }
    if (!$isPage) {
        return;
    }
    $folder = __DIR__ . '/cache';
    $file = "$folder/" . hash('sha256', $_SERVER['REQUEST_URI'] . "\n" . json_encode($_COOKIE['rapport_vary'] ?? null));
    if (is_file($file)) {
        header('X-Cache: hit');
        exit(file_get_contents($file));
    }
    header('X-Cache: miss');
    ob_start(static function (string $page) use ($folder, $file): string {
        if (!defined('DONOTCACHEPAGE') && http_response_code() === 200) {
            is_dir($folder) || mkdir($folder);
            file_put_contents($file, $page);
        }
        return $page;
    });
})();
