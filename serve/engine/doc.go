// Package engine lets many requests share one model: continuous batching over the flat batch of package model, prompts
// read in chunks between decode steps, a bounded paged KV cache whose pages are shared between texts that begin alike.
//
//	Submit → queue → admit → step (decode tokens and prompt chunks in one batch) → sample → Job.Next
//
// One goroutine steps; requests wait in their own. What a request gets does not depend on the company it keeps: its
// logits have the same bits alone and in any batch, and its sampler is its own. Nothing here knows of HTTP.
package engine
