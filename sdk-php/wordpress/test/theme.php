<!doctype html>
<html>
<head><title>Plain</title><?php wp_head(); ?></head>
<body><?php
while (have_posts()) {
    the_post();
    the_content();
}
wp_footer();
?></body>
</html>
