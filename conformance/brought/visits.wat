;; A scorer (docs/scorers.md) of `pricing_views` and `page_views`: 0.2, and 0.1 more for each look at pricing, up
;; to 0.9. It traps from 12 looks on. `npx wabt` made visits.wasm of it: wat2wasm visits.wat
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "score") (param $row i32) (param $length i32) (result f64)
    (local $looks f64)
    (local.set $looks (select (f64.load (local.get $row)) (f64.const 0) (f64.gt (f64.load (local.get $row)) (f64.const 0))))
    (if (f64.ge (local.get $looks) (f64.const 12)) (then (unreachable)))
    (f64.min (f64.const 0.9) (f64.add (f64.const 0.2) (f64.mul (f64.const 0.1) (local.get $looks))))))
