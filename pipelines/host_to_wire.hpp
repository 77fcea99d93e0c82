// SPDX-License-Identifier: Apache-2.0
// From a tenant port into the fabric, or to a neighbour on the same gateway.
#pragma once

#include "dataplane/pipeline/pipeline.hpp"
#include "pipelines/stages/admit_tenant.hpp"
#include "pipelines/stages/choose_next_hop.hpp"
#include "pipelines/stages/classify_roce.hpp"
#include "pipelines/stages/encapsulate.hpp"
#include "pipelines/stages/flood.hpp"
#include "pipelines/stages/gather_headers.hpp"
#include "pipelines/stages/look_up_endpoint.hpp"
#include "pipelines/stages/parse_frame.hpp"
#include "pipelines/stages/segment_large.hpp"
#include "pipelines/stages/tag_frame.hpp"

namespace dp {

using HostToWire = Pipeline<"host_to_wire", GatherHeaders, SegmentLarge,
                            Pass<AdmitTenant, ParseFrame<FramePlace::outermost>, ClassifyRoce>,
                            LookUpEndpoint<CameFrom::tenant>, Flood<CameFrom::tenant>,
                            Pass<ChooseNextHop, Encapsulate>, TagFrame>;

}  // namespace dp
