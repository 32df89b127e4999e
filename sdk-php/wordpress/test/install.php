<?php
// Installs WordPress with the plugin, two pages and a policy:  php install.php FOLDER SETTINGS
declare(strict_types=1);

define('WP_INSTALLING', true);
[, $root, $settings] = $argv;
$_SERVER['HTTP_HOST'] = 'site.test';
require "$root/wp-load.php";
require ABSPATH . 'wp-admin/includes/upgrade.php';
// Nobody is told by e-mail.
function wp_mail(): bool
{
    return true;
}
wp_install('Test', 'admin', 'admin@site.test', true, '', 'admin');
switch_theme('plain');
update_option('active_plugins', ['rapport/rapport.php']);
update_option('rapport', json_decode($settings, true));
$pages = [
    'shortcode' => '[rapport_slot name="hero"]<p>For all</p>[/rapport_slot]',
    'block' => '<!-- wp:paragraph {"rapportSlot":"note"} --><p>Note for all</p><!-- /wp:paragraph -->',
];
foreach ($pages as $name => $content) {
    wp_insert_post(['post_type' => 'page', 'post_status' => 'publish', 'post_name' => $name, 'post_title' => $name, 'post_content' => $content]);
}
