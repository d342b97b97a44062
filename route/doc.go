// Package route is the request-level router: it reads a prompt and says whether the weak model will do or the strong one
// is worth its price.
//
// A router is trained on outcomes, lines {"prompt", "weak": was the weak model right, "strong": was the strong one}. Its
// estimate is the mean of up to three parts, each brought to mean 0 and spread 1: a softmax head on the prompt's
// embedding and shape, a softmax head on hashed n-grams, and a ridge regression on the similarity to landmark prompts.
// Where no encoder is given, the experts that a local mixture uses while it reads the prompt stand in for the embedding.
//
// Measures follow RouteLLM (Ong et al., arXiv 2406.18665: APGR, CPT) and RouterBench (Hu et al., arXiv 2403.12031: AIQ).
package route
