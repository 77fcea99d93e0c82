// SPDX-License-Identifier: Apache-2.0
// From the fabric out of a tunnel to a tenant port.
#pragma once

#include "dataplane/pipeline/pipeline.hpp"
#include "pipelines/stages/classify_roce.hpp"
#include "pipelines/stages/decapsulate.hpp"
#include "pipelines/stages/flood.hpp"
#include "pipelines/stages/gather_headers.hpp"
#include "pipelines/stages/look_up_endpoint.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "pipelines/stages/parse_outer.hpp"
#include "pipelines/stages/propagate_ecn.hpp"
#include "pipelines/stages/tag_frame.hpp"
#include "pipelines/stages/untag_frame.hpp"

namespace dp {

using WireToHost = Pipeline<
    "wire_to_host", GatherHeaders, UntagFrame,
    Pass<ParseOuter, Decapsulate, ParseFrame<FramePlace::in_tunnel>, ClassifyRoce, PropagateEcn>,
    LookUpEndpoint<CameFrom::wire>, Flood<CameFrom::wire>, TagFrame>;

}  // namespace dp
