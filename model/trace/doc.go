// Package trace records the routing of texts to a file: which experts worked on every token in every mixture layer,
// with what weight, and on request router logits, entropies and log-probabilities.
//
// A trace is a safetensors file. T tokens of all texts one after the other, L mixture layers, K the largest number of
// experts per token, E the largest number of experts of a layer:
//
//	token_ids        I32 [T]
//	seq_offsets      I32 [S+1]    text i is tokens seq_offsets[i]:seq_offsets[i+1]
//	moe_layer_index  I32 [L]      the model's layer of each column
//	topk_ids         U16 [T,L,K]  by falling weight; 0xFFFF: empty
//	topk_weights     F32 [T,L,K]  0 where empty
//	router_logits    F32 [T,L,E]  raw; -Inf where a layer has fewer experts     (Options.Logits)
//	gate_entropy     F32 [T,L]    of softmax(router logits), in nats            (Options.Entropy)
//	choice_scores    F32 [T,L,E]  what the choice is made by: scores, biases   (Options.Choice)
//	expert_out_norm  F32 [T,L,K]  ‖expert(x)‖₂ before weighting, 0 where empty  (Options.Norms)
//	lookahead_ids    U16 [T,L,K]  what the layer's gate chooses from the input of the mixture layer before, in order of
//	                              choice; 0xFFFF: empty, and in the first layer  (Options.Lookahead)
//	predicted_ids    I32 [T]      the likeliest next token                      (Options.Predicted)
//	next_token_logprob F32 [T]    of the token that follows; NaN for the last   (Options.LogProb)
//	topk_slots       U8  [T,L,K]  place of each expert in the order of choice, in which outputs are added; only where a
//	                              gate may choose in another order than that of weights
//
// The metadata holds what a run needs to be repeated bit for bit: format, version, level, gate (the resolved spec of every
// layer), gate_override (the text), interventions (by layer), gate_files (SHA-256 of files that it names), seed, model_hash
// and tokenizer_hash; and labels, one a text. A file is written in bounded memory, whatever the length of the texts.
//
// In Python: t = safetensors.numpy.load_file("trace.safetensors").
package trace
