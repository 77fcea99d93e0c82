// SPDX-License-Identifier: Apache-2.0
// From this gateway's own kernel to the fabric: what the kernel sends by a twin leaves at its peer,
// as it is but for the tag of a peer that has a VLAN. Never into a tunnel.
#pragma once

#include "dataplane/pipeline/pipeline.hpp"
#include "pipelines/stages/gather_headers.hpp"
#include "pipelines/stages/pick_peer.hpp"
#include "pipelines/stages/segment_large.hpp"
#include "pipelines/stages/tag_frame.hpp"

namespace dp {

using FromHost =
    Pipeline<"from_host", GatherHeaders, SegmentLarge, Pass<PickPeer<Tags::follow>>, TagFrame>;

}  // namespace dp
