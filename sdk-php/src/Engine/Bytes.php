<?php

declare(strict_types=1);

namespace Rapport\Engine;

use Rapport\RapportException;

/** Values as the engine reads and writes them (core/src/targeting/stored.rs). */
final class Bytes
{
    private const NULL = "\x00";
    private const FALSE = "\x01";
    private const TRUE = "\x02";
    private const NUMBER = "\x03";
    private const TEXT = "\x04";
    private const LIST = "\x05";
    private const MAP = "\x06";
    /** Deeper than core reads. */
    private const MAX_DEPTH = 48;
    /** Whole numbers of this magnitude are written as such in JSON by core. */
    private const WHOLE = 9.0e15;

    /** A value of an attribute. A list stays one; arrays with names, and objects, become maps. */
    public static function value(mixed $value, int $depth = 0): string
    {
        switch (true) {
            case is_string($value):
                return self::TEXT . pack('V', strlen($value)) . $value;
            case is_int($value) || is_float($value):
                return self::NUMBER . pack('e', $value);
            case is_bool($value):
                return $value ? self::TRUE : self::FALSE;
            case $value === null:
                return self::NULL;
            case $depth > self::MAX_DEPTH:
                throw new RapportException('an attribute nests deeper than 48 lists');
            case $value instanceof \DateTimeInterface:
                $time = \DateTimeImmutable::createFromInterface($value)->setTimezone(new \DateTimeZone('UTC'));
                return self::value($time->format('Y-m-d\TH:i:s.v\Z'));
            case $value instanceof \BackedEnum:
                return self::value($value->value);
            case $value instanceof \JsonSerializable:
                return self::value($value->jsonSerialize(), $depth + 1);
            case $value instanceof \Stringable:
                return self::value((string) $value);
            case is_array($value) && array_is_list($value):
                $items = array_map(static fn (mixed $item): string => self::value($item, $depth + 1), $value);
                return self::LIST . pack('V', count($items)) . implode('', $items);
            case is_array($value) || is_object($value):
                return self::map((array) $value, $depth + 1);
            default:
                return self::NULL;
        }
    }

    /** Texts as they are, but what is not UTF-8 in them replaced, as browsers do. */
    public static function cleaned(mixed $value): mixed
    {
        return match (true) {
            is_string($value) => self::utf8($value),
            is_array($value) => array_combine(
                array_map(self::cleaned(...), array_keys($value)),
                array_map(self::cleaned(...), $value),
            ),
            $value instanceof \stdClass => (object) self::cleaned((array) $value),
            default => $value,
        };
    }

    private static function utf8(string $text): string
    {
        return preg_match('//u', $text) === 1
            ? $text
            : htmlspecialchars_decode(htmlspecialchars($text, ENT_NOQUOTES | ENT_SUBSTITUTE, 'UTF-8'), ENT_NOQUOTES);
    }

    /** Members in the order in which JavaScript names them: indices first, ascending. */
    private static function map(array $members, int $depth): string
    {
        $indices = array_filter($members, 'is_int', ARRAY_FILTER_USE_KEY);
        if ($indices !== []) {
            ksort($indices);
            $members = $indices + $members;
        }
        $written = '';
        foreach ($members as $name => $member) {
            $name = (string) $name;
            $written .= pack('V', strlen($name)) . $name . self::value($member, $depth);
        }
        return self::MAP . pack('V', count($members)) . $written;
    }

    /** The value that begins at `$at`, which then stands behind it; maps become arrays with names. */
    public static function read(string $bytes, int &$at): mixed
    {
        switch ($bytes[$at++]) {
            case self::FALSE:
                return false;
            case self::TRUE:
                return true;
            case self::NUMBER:
                $number = unpack('e', $bytes, $at)[1];
                $at += 8;
                return self::number($number);
            case self::TEXT:
                return self::textAt($bytes, $at);
            case self::LIST:
                $items = [];
                for ($left = self::count($bytes, $at); $left > 0; $left--) {
                    $items[] = self::read($bytes, $at);
                }
                return $items;
            case self::MAP:
                $members = [];
                for ($left = self::count($bytes, $at); $left > 0; $left--) {
                    $name = self::textAt($bytes, $at);
                    $members[$name] = self::read($bytes, $at);
                }
                return $members;
            default:
                return null;
        }
    }

    /** A number as JSON has it: whole ones are integers in PHP. */
    public static function number(float $number): int|float
    {
        return floor($number) === $number && abs($number) < self::WHOLE ? (int) $number : $number;
    }

    /** A value as text, as JavaScript writes it. */
    public static function text(mixed $value): string
    {
        return match (true) {
            is_string($value) => $value,
            is_bool($value) => $value ? 'true' : 'false',
            $value === null => 'null',
            default => (string) json_encode(is_float($value) ? self::number($value) : $value),
        };
    }

    private static function count(string $bytes, int &$at): int
    {
        $at += 4;
        return unpack('V', $bytes, $at - 4)[1];
    }

    private static function textAt(string $bytes, int &$at): string
    {
        $length = self::count($bytes, $at);
        $at += $length;
        return substr($bytes, $at - $length, $length);
    }
}
