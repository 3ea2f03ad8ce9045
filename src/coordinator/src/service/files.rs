//! Files: registered with their chunks, looked up, listed, deleted.

use zephyrfs_core::command::DeleteFile;
use zephyrfs_core::engine::At;
use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::row::FileRow;
use zephyrfs_core::units::{ByteSize, Timestamp};
use zephyrfs_core::{Command, ReadSet, Rejection, Response, View};

use super::engine_error::{broken_state, wrong_answer};
use super::error::ServiceError;
use super::fingerprint::Fingerprinter;
use super::page::ListPage;
use super::page::{id_of_token, token_after};
use super::request::{PageQuery, RequestContext};
use super::state::Service;
use super::validate;

/// A file with its chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct FileDetails {
    /// Its id.
    pub id: FileId,
    /// What the client registered.
    pub file: FileRow,
    /// Its chunks, by ascending index.
    pub chunks: Vec<FileChunkDetails>,
    /// When it was last registered: the coordinator hands out locations, and does not see who reads content.
    pub last_accessed: Timestamp,
}

/// A chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunkDetails {
    /// Its id.
    pub id: ChunkId,
    /// The hash of its content.
    pub hash: ContentHash,
    /// Its length.
    pub size: ByteSize,
    /// Where it stands in the file.
    pub index: u32,
    /// The nodes that store it, then those told to take it.
    pub nodes: Vec<NodeId>,
}

/// A file in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// Its id.
    pub id: FileId,
    /// What the client registered.
    pub file: FileRow,
}

impl Service {
    /// One file with its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the file is not known.
    pub async fn file(
        &self,
        file_id: String,
        context: RequestContext,
    ) -> Result<At<FileDetails>, ServiceError> {
        let id: FileId = validate::id(&self.limits, "file_id", file_id)?;
        let reads = ReadSet {
            file_chunks: vec![(id.clone(), usize::MAX)],
            files: vec![id.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, context.freshness);
        let At { index, value: view } = self.read("the file", context.deadline, view).await?;
        let Some(file) = view.files.get(&id) else {
            let rejection = Rejection::FileNotFound { file: id };
            return Err(ServiceError::Rejected { rejection, index });
        };
        let value = FileDetails {
            chunks: chunks_of(&id, file, &view)?,
            last_accessed: file.created_at,
            file: file.clone(),
            id,
        };
        Ok(At { index, value })
    }

    /// Deletes a file and lets go of its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the file is not known.
    pub async fn delete_file(
        &self,
        file_id: String,
        context: RequestContext,
    ) -> Result<At<()>, ServiceError> {
        let file: FileId = validate::id(&self.limits, "file_id", file_id)?;
        let fingerprint = Fingerprinter::of("delete_file").text(file.as_str()).finish();
        let idempotency = self.idempotency(&context, fingerprint)?;
        let command = Command::DeleteFile(DeleteFile { file });
        let At { index, value } = self.propose(command, idempotency, context.deadline).await?;
        let Response::FileDeleted = value else {
            return Err(wrong_answer("delete_file"));
        };
        Ok(At { index, value: () })
    }

    /// Files, by id.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_files(
        &self,
        page: PageQuery,
        context: RequestContext,
    ) -> Result<At<ListPage<FileSummary>>, ServiceError> {
        let limit = validate::page_size(&self.limits, page.limit)?;
        let after: Option<FileId> = id_of_token(&self.limits, &page.token)?;
        let files = self.engine.files(after, limit, context.freshness);
        let At { index, value: page } = self.read("the list of files", context.deadline, files).await?;
        let value = ListPage {
            items: page
                .items
                .into_iter()
                .map(|(id, file)| FileSummary { id, file })
                .collect(),
            next_page_token: page.next.as_ref().map(|id| token_after(id.as_str())),
        };
        Ok(At { index, value })
    }
}

/// A file's chunks with the nodes they are on.
fn chunks_of(id: &FileId, file: &FileRow, view: &View) -> Result<Vec<FileChunkDetails>, ServiceError> {
    file.chunks
        .iter()
        .map(|entry| {
            let chunk = view.chunks.get(&entry.id).ok_or_else(|| {
                broken_state(&format!("file {id} holds chunk {}, which is not there", entry.id))
            })?;
            Ok(FileChunkDetails {
                id: entry.id.clone(),
                hash: chunk.hash.clone(),
                size: chunk.size,
                index: entry.index,
                nodes: chunk.nodes_stored_first().cloned().collect(),
            })
        })
        .collect()
}
