<?php
// A site whose policy has a nonce.
add_filter('rapport_csp_nonce', static fn (): string => (string) ($_GET['nonce'] ?? ''));
