// Package bench measures models and kernels against the limits of the machine, taken in the same run.
//
// # The limit of a test
//
// A row says what share of the possible it reached: fraction = tok_s / limit_tok_s. The limit follows from what a token
// takes at least, and from what the machine does at most:
//
//	limit_tok_s = 1 / max( active_bytes / read,  Σ ops_a / peak_a )
//
// read is how fast the row's threads together read memory, peak_a how fast they do one kind of arithmetic at the row's
// level in registers: multiply-adds of f32, the int8 dot product for packed weights, the bf16 dot product. Times of kinds add
// up, for they follow each other; reading overlaps with computing. All are measured right before and right after a row, and
// the better of the two counts: on a shared machine bandwidth moves by half within minutes. The peak of int8 tiles stands
// beside these where a level has them, but no limit is made of it: int8 always means the dot product in registers, so that
// levels compare, and a row of level amx may pass 1.
//
// active_bytes, per token, is every byte that has to be read once: for a decoded token the weights of attention, norms,
// router, of the experts that the gate chose, of shared experts or the dense feed-forward, of the whole output head, one row
// of the embedding, and the keys and values of all positions so far (mean of the run). For a prompt of T tokens the same is
// counted for the prompt as one pass, experts once where any token chose them, and divided by T.
//
// ops, per token, counts a multiply-add as 2: every projection, the router, the chosen experts, shared experts, attention
// (scores and mix over the positions that a token sees, always f32), and the head for the rows of logits that are asked for:
// each decoded token, only the last of a prompt. Norms, softmax, rotary embedding and activations count nothing.
//
// tok_s is the median of the repetitions; each has random ids of its own.
//
// Weights that fit the caches can be read faster than memory, so the fraction of a small model can pass 1.
//
// # The limit of a kernel
//
// fraction = rate / min( peak, operations per byte · read ). read is measured with a buffer as large as the data that the
// calls go round in: an operation on a few rows reads from the caches, decoding (gemv) takes another weight of 256 MiB each
// call and reads from memory. An operation that one thread does is held against one thread. Bytes are those that a call
// reads and writes. Operations of products are exact; those of elementwise kernels are nominal, so that they have a place in
// the picture. Speed-ups compare operations per second: over the generic level with the same number of threads, and, for
// products, over gonum's Sgemm and gorgonia's MatMul on f32.
package bench
