// SPDX-License-Identifier: Apache-2.0
// Underlay only: frames pass from one port of a pair to the other, classified on the way, inside
// tunnels too.
#pragma once

#include "dataplane/pipeline/pipeline.hpp"
#include "pipelines/stages/classify_roce.hpp"
#include "pipelines/stages/gather_headers.hpp"
#include "pipelines/stages/look_into_tunnel.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "pipelines/stages/pick_peer.hpp"
#include "pipelines/stages/segment_large.hpp"

namespace dp {

using Transit = Pipeline<
    "transit", GatherHeaders, SegmentLarge,
    Pass<ParseFrame<FramePlace::outermost>, LookIntoTunnel, ClassifyRoce, PickPeer<Tags::stay>>>;

}  // namespace dp
