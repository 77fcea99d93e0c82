// SPDX-License-Identifier: Apache-2.0
// From the fabric to this gateway's own kernel: what entered an underlay port with a twin and is no
// tunnel packet. wire_to_host diverts it here; few frames, and a flood of them ends early.
#pragma once

#include "dataplane/pipeline/pipeline.hpp"
#include "pipelines/stages/admit_to_host.hpp"
#include "pipelines/stages/gather_headers.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "pipelines/stages/segment_large.hpp"
#include "pipelines/stages/share_neighbours.hpp"

namespace dp {

using ToHost = Pipeline<"to_host", GatherHeaders, SegmentLarge, ShareNeighbours,
                        Pass<ParseFrame<FramePlace::outermost>, AdmitToHost>>;

}  // namespace dp
