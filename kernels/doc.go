// Package kernels holds the arithmetic of Switchyard: matrix products on f32, f16 and bf16 weights read straight from
// the map and on packed int8 and int4 weights, the elementwise and attention primitives, and the spinning worker pool
// that runs them.
//
// Letters: T rows of activations, N output columns (rows of a weight), K the summed dimension, L lanes of a level.
//
// Data flow: [New] picks a level → [Engine.MatMul] and [Engine.Run] cut work into chunks → inside a chunk
// [Engine.Block], [Engine.Gated] and the primitives of [Ops] compute. [Engine.Pack] makes packed weights,
// [Engine.QuantiseRows] the int8 activations that they are multiplied with.
//
// # Levels
//
//	generic      Go; the specification of every operation (8 lanes)
//	avx2         AVX2 + FMA + F16C (8 lanes)
//	avxvnni      avx2 + AVX-VNNI (8 lanes)
//	avx512vnni   avx2 + AVX-512 F, BW, DQ, VL and VNNI (16 lanes)
//	amx          avx512vnni + AMX tiles of bytes and of bfloat16, on Linux, where the system lets us (16 lanes)
//	neon         arm64 with vectors (8 lanes)
//	neondot      neon + dot products of bytes (8 lanes)
//
// The build tag purego leaves only generic. Nothing here is chosen by package state: New decides.
//
// # Numbers
//
// Within one level a result never depends on the number of rows computed together, on block borders, on the thread
// count or on who ran a chunk. A product sums k in L lanes, lane = k mod L, ascending: acc = fma(w, x, acc). Then the
// lanes are added by one fixed tree: with 16 lanes first l[i]+l[i+8]; then ((l0+l1)+(l2+l3)) + ((l4+l5)+(l6+l7)).
// Rows whose length is no multiple of L are taken as padded with zeros. Levels differ from each other in f32 rounding
// only: generic rounds the product and the sum apart, the others fuse them; those of eight lanes agree, on amd64 and on
// arm64. Products with packed weights go another way, which is the same on every level: see matmul_packed.go.
// With [Options].Parts, or BF16, products with bf16 weights on level amx go a third: see parts.go.
//
// # Rooms
//
// Files are named op _ formats _ isa _ goarch; the symbol repeats the room. Assembly kernels come from
// internal/gen and are committed:
//
//go:generate go run ./internal/gen -dir .
package kernels
