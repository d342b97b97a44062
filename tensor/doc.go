// Package tensor holds what every other room of Switchyard shares about data: dtypes, shapes, tensors as
// dtype + shape + bytes, scalar conversions and the measures of closeness. It does no arithmetic on tensors.
//
// Letters used for dimensions in the whole project:
//
//	T tokens of a batch      H hidden width           V vocabulary
//	L layers                 E routed experts         K experts per token (top-k), or the summed dimension of a product
//	I width of an expert     N output rows of a weight, or (token, slot) pairs
//	D width of a head
//
// All data is row-major and little endian. A Tensor may own its bytes or look into a mapped file; a view dies with
// the mapping it came from.
//
// The five types: [DType], [Shape], [Tensor], [Mat], [Diff].
package tensor
