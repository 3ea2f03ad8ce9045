//! Members of etcd, with its defaults but for names, addresses and folders.

mod messages;

use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use rand::RngExt as _;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::api::{Api, Content, Operation, Timers, View};
use crate::error::CompareError;
use crate::process::Launch;
use messages::{
    Compare, CompareResult, CompareTarget, CompareValue, LeaseGrantRequest, LeaseGrantResponse,
    LeaseKeepAliveRequest, LeaseKeepAliveResponse, PutRequest, RangeRequest, RangeResponse, RequestOperation,
    StatusRequest, StatusResponse, TransactionRequest, TransactionResponse,
};

/// A file and its eight chunks.
const PUTS: usize = 9;
/// One letter and 16 hex digits.
const KEY_BYTES: usize = 17;
/// About what the locations of a chunk take: three nodes with their addresses.
const LOCATIONS_BYTES: usize = 80;
const STOCK_TRANSACTIONS: usize = 40;
/// Below etcd's limit of 128.
const STOCK_PUTS: usize = 100;
const LEASES: i64 = 1000;
/// Longer than any measurement.
const LEASE_SECONDS: i64 = 3600;
const PARALLEL: usize = 16;

/// A member of etcd, over one connection.
#[derive(Clone, Debug)]
pub(crate) struct Etcd {
    channel: Channel,
}

impl Etcd {
    async fn unary<Q, R>(&self, path: &'static str, message: Q) -> Result<R, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        R: prost::Message + Default + Send + Sync + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(unreachable)?;
        let codec = ProstCodec::<Q, R>::default();
        let path = PathAndQuery::from_static(path);
        let reply = grpc.unary(Request::new(message), path, codec).await?;
        Ok(reply.into_inner())
    }

    /// Puts all of it, if the first key is not there yet.
    async fn put_new(&self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Status> {
        let compare = rows.first().map(|(key, _)| Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Create.into(),
            key: key.clone(),
            value: Some(CompareValue::CreateRevision(0)),
        });
        let put = |(key, value)| RequestOperation {
            request: Some(messages::Request::Put(PutRequest { key, value })),
        };
        let request = TransactionRequest {
            compare: compare.into_iter().collect(),
            success: rows.into_iter().map(put).collect(),
        };
        let reply: TransactionResponse = self.unary("/etcdserverpb.KV/Txn", request).await?;
        if reply.succeeded {
            Ok(())
        } else {
            Err(Status::already_exists("a random key was there already"))
        }
    }

    async fn range(&self, key: Vec<u8>, serializable: bool) -> Result<(), Status> {
        let request = RangeRequest { key, serializable };
        let reply: RangeResponse = self.unary("/etcdserverpb.KV/Range", request).await?;
        match reply.kvs.as_slice() {
            [row] if !row.key.is_empty() && !row.value.is_empty() => Ok(()),
            _ => Err(Status::not_found("a key that was put is not there")),
        }
    }

    async fn grant(&self, id: i64) -> Result<(), Status> {
        let request = LeaseGrantRequest {
            time_to_live: LEASE_SECONDS,
            id,
        };
        let reply: LeaseGrantResponse = self.unary("/etcdserverpb.Lease/LeaseGrant", request).await?;
        if reply.id == id {
            Ok(())
        } else {
            Err(Status::internal("a lease got another id"))
        }
    }

    /// A stream of one message each way: what a unary call would be.
    async fn keep_lease(&self, id: i64) -> Result<(), Status> {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(unreachable)?;
        let codec = ProstCodec::<LeaseKeepAliveRequest, LeaseKeepAliveResponse>::default();
        let path = PathAndQuery::from_static("/etcdserverpb.Lease/LeaseKeepAlive");
        let requests = futures::stream::iter([LeaseKeepAliveRequest { id }]);
        let replies = grpc.streaming(Request::new(requests), path, codec).await?;
        match replies.into_inner().message().await? {
            Some(reply) if reply.time_to_live > 0 => Ok(()),
            Some(_) => Err(Status::not_found("a lease that was granted is gone")),
            None => Err(Status::internal("a keep-alive was not answered")),
        }
    }
}

impl Api for Etcd {
    const SYSTEM: &'static str = "etcd";
    const PORTS: usize = 2;
    type Stock = Arc<[Vec<u8>]>;

    fn launch(
        program: &Path,
        folder: &Path,
        ports: &[Vec<u16>],
        member: usize,
        timers: Timers,
    ) -> Result<Launch, CompareError> {
        let client_url = format!("http://127.0.0.1:{}", ports[member][0]);
        let peer_url = |member: usize| format!("http://127.0.0.1:{}", ports[member][1]);
        let all: Vec<_> = (0..ports.len())
            .map(|member| format!("member{member}={}", peer_url(member)))
            .collect();
        let mut arguments = vec![
            format!("--name=member{member}"),
            format!("--data-dir={}", folder.join("data").display()),
            format!("--listen-client-urls={client_url}"),
            format!("--advertise-client-urls={client_url}"),
            format!("--listen-peer-urls={}", peer_url(member)),
            format!("--initial-advertise-peer-urls={}", peer_url(member)),
            format!("--initial-cluster={}", all.join(",")),
            "--initial-cluster-state=new".to_owned(),
        ];
        match timers {
            Timers::Default => {}
            Timers::Slow => {
                arguments.extend(["--heartbeat-interval=100", "--election-timeout=1000"].map(str::to_owned));
            }
        }
        Ok(Launch {
            program: program.to_owned(),
            arguments,
            environment: vec![],
            folder: folder.to_owned(),
        })
    }

    fn over(channel: Channel, _port: u16) -> Self {
        Etcd { channel }
    }

    async fn view(&self) -> Result<View, Status> {
        let reply: StatusResponse = self
            .unary("/etcdserverpb.Maintenance/Status", StatusRequest {})
            .await?;
        let own = reply.header.unwrap_or_default().member_id;
        Ok(View {
            leads: reply.leader != 0 && reply.leader == own,
            has_leader: reply.leader != 0,
            term: reply.raft_term,
        })
    }

    async fn keep_alive(&self) -> Result<(), Status> {
        Ok(())
    }

    async fn stock(&self, content: &mut Content) -> Result<Arc<[Vec<u8>]>, Status> {
        let mut keys = Vec::with_capacity(STOCK_TRANSACTIONS * STOCK_PUTS);
        let mut transactions = Vec::with_capacity(STOCK_TRANSACTIONS);
        for _ in 0..STOCK_TRANSACTIONS {
            let rows = new_rows(content, STOCK_PUTS, STOCK_PUTS * LOCATIONS_BYTES);
            keys.extend(rows.iter().map(|(key, _)| key.clone()));
            transactions.push(rows);
        }
        futures::stream::iter(transactions)
            .map(|rows| self.put_new(rows))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        Ok(keys.into())
    }

    async fn stock_for_beats(&self) -> Result<(), Status> {
        futures::stream::iter(1..=LEASES)
            .map(|id| self.grant(id))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    async fn call(
        &self,
        operation: Operation,
        keys: &Arc<[Vec<u8>]>,
        content: &mut Content,
    ) -> Result<(), Status> {
        match operation {
            Operation::Write => {
                let value_bytes = content.registration_bytes.saturating_sub(PUTS * KEY_BYTES);
                self.put_new(new_rows(content, PUTS, value_bytes)).await
            }
            Operation::Read => self.range(keys[content.pick(0..keys.len())].clone(), false).await,
            Operation::ReadLocal => self.range(keys[content.pick(0..keys.len())].clone(), true).await,
            Operation::Beat => self.keep_lease(content.rng.random_range(1..=LEASES)).await,
        }
    }
}

/// So many new keys, and values that take so many bytes together.
fn new_rows(content: &mut Content, count: usize, value_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let row = |number: usize| {
        let key = format!("k{:016x}", content.rng.random::<u64>()).into_bytes();
        // The first takes what does not divide.
        let extra = if number == 0 { value_bytes % count } else { 0 };
        (key, content.bytes(value_bytes / count + extra))
    };
    (0..count).map(row).collect()
}

fn unreachable(error: tonic::transport::Error) -> Status {
    Status::from_error(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::{KEY_BYTES, PUTS, new_rows};
    use crate::api::Content;

    #[test]
    fn a_transaction_carries_the_bytes_of_a_registration() {
        let mut content = Content::new();
        let expected = content.registration_bytes;
        let rows = new_rows(&mut content, PUTS, expected - PUTS * KEY_BYTES);
        let bytes: usize = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert_eq!((rows.len(), bytes), (PUTS, expected));
    }
}
