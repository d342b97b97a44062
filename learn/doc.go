// Package learn trains the light models beside the large ones: linear heads on embeddings and on hashed n-grams, their
// calibration, and the classifiers that `switchyard classify train` makes of them. Package route builds its difficulty
// estimates from the same parts.
//
// A text becomes features: a dense row (an encoder's embedding, counts), a sparse row (hashed n-grams), or both. A
// [Head] is a softmax regression on them; [Fit] finds it with gonum's L-BFGS, products computed by package kernels.
// Results depend on data and options only, never on the number of threads.
package learn
