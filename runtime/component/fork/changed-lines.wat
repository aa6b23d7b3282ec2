;; What a guest has changed of its memory, in lines of 64 bytes. The source of the bytes in changed-lines.ts, which a test compares.
(module
  (import "" "guest" (memory $guest 0))
  (import "" "image" (memory $image 0))
  (import "" "scratch" (memory $scratch 1))

  ;; Puts back the pages that the first $count runs in the scratch name: addresses of 64 bits, of which the lower half, without $base, is a
  ;; place in the memory. To look for what differs takes longer.
  (func (export "putBack") (param $count i32) (param $base i32)
    (local $run i32) (local $end i32) (local $at i32)
    (local.set $end (i32.mul (local.get $count) (i32.const 24)))
    (block $done
      (loop $runs
        (br_if $done (i32.eq (local.get $run) (local.get $end)))
        (local.set $at (i32.sub (i32.load $scratch (local.get $run)) (local.get $base)))
        (memory.copy $guest $image
          (local.get $at)
          (local.get $at)
          (i32.sub (i32.load $scratch offset=8 (local.get $run)) (i32.load $scratch (local.get $run))))
        (local.set $run (i32.add (local.get $run) (i32.const 24)))
        (br $runs))))

  ;; The same for each line that differs, after it has been written to $out, behind its place. Gives the end of what was written.
  (func (export "takeLines") (param $count i32) (param $base i32) (param $out i32) (result i32)
    (local $run i32) (local $end i32) (local $at i32) (local $last i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $end (i32.mul (local.get $count) (i32.const 24)))
    (block $done
      (loop $runs
        (br_if $done (i32.eq (local.get $run) (local.get $end)))
        (local.set $at (i32.sub (i32.load $scratch (local.get $run)) (local.get $base)))
        (local.set $last (i32.sub (i32.load $scratch offset=8 (local.get $run)) (local.get $base)))
        (loop $lines
          (local.set $a (v128.load $guest (local.get $at)))
          (local.set $b (v128.load $guest offset=16 (local.get $at)))
          (local.set $c (v128.load $guest offset=32 (local.get $at)))
          (local.set $d (v128.load $guest offset=48 (local.get $at)))
          (if (v128.any_true
                (v128.or
                  (v128.or
                    (v128.xor (local.get $a) (v128.load $image (local.get $at)))
                    (v128.xor (local.get $b) (v128.load $image offset=16 (local.get $at))))
                  (v128.or
                    (v128.xor (local.get $c) (v128.load $image offset=32 (local.get $at)))
                    (v128.xor (local.get $d) (v128.load $image offset=48 (local.get $at))))))
            (then
              (i32.store $scratch (local.get $out) (local.get $at))
              (v128.store $scratch offset=4 align=1 (local.get $out) (local.get $a))
              (v128.store $scratch offset=20 align=1 (local.get $out) (local.get $b))
              (v128.store $scratch offset=36 align=1 (local.get $out) (local.get $c))
              (v128.store $scratch offset=52 align=1 (local.get $out) (local.get $d))
              (local.set $out (i32.add (local.get $out) (i32.const 68)))
              (v128.store $guest (local.get $at) (v128.load $image (local.get $at)))
              (v128.store $guest offset=16 (local.get $at) (v128.load $image offset=16 (local.get $at)))
              (v128.store $guest offset=32 (local.get $at) (v128.load $image offset=32 (local.get $at)))
              (v128.store $guest offset=48 (local.get $at) (v128.load $image offset=48 (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (br_if $lines (i32.ne (local.get $at) (local.get $last))))
        (local.set $run (i32.add (local.get $run) (i32.const 24)))
        (br $runs)))
    (local.get $out))

  ;; Writes the lines that stand in the scratch from $at to $end.
  (func (export "putLines") (param $at i32) (param $end i32)
    (local $to i32)
    (block $done
      (loop $lines
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (local.set $to (i32.load $scratch (local.get $at)))
        (v128.store $guest (local.get $to) (v128.load $scratch offset=4 align=1 (local.get $at)))
        (v128.store $guest offset=16 (local.get $to) (v128.load $scratch offset=20 align=1 (local.get $at)))
        (v128.store $guest offset=32 (local.get $to) (v128.load $scratch offset=36 align=1 (local.get $at)))
        (v128.store $guest offset=48 (local.get $to) (v128.load $scratch offset=52 align=1 (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 68)))
        (br $lines)))))
